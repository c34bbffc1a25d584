//! `hardway pki renew`: what is issued anew, what is kept, and what it says of both.

use std::fs;

use serde_json::{Value, json};

use crate::show::undated;
use crate::support::{Cluster, fields, serial};

#[test]
fn a_leaf_is_renewed_with_the_key_that_it_has() {
    let cluster = Cluster::generated();
    let before = cluster.files();
    let dry = cluster.hardway(&["pki", "renew", "kubelet-client-sigma", "--dry-run"]);
    assert_eq!(cluster.files(), before);
    let told = cluster.hardway(&["pki", "renew", "kubelet-client-sigma"]);
    assert_eq!((told.code, &*told.err), (0, ""));
    let changed: Vec<String> = cluster
        .files()
        .into_iter()
        .filter(|(name, bytes)| before.get(name) != Some(bytes))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(
        changed,
        [
            "kubelet-client-sigma.kubeconfig",
            "kubelet-client-sigma.pem"
        ]
    );
    insta::assert_snapshot!(undated(&format!("{}---\n{}", dry.out, told.out)));
    assert_eq!(cluster.hardway(&["pki", "verify"]).code, 0);
    let again = cluster.hardway(&["generate"]);
    assert!(again.out.starts_with("nothing to do"), "{}", again.out);
}

#[test]
fn all_leaves_with_new_keys_and_no_authority() {
    let cluster = Cluster::generated();
    fs::write(cluster.paths.kubeconfig(), "old").unwrap();
    let before = cluster.files();
    let told = cluster.hardway(&["pki", "renew", "--all", "--new-key", "--json"]);
    assert_eq!(told.code, 0, "{}", told.err);
    let after = cluster.files();
    for (name, bytes) in &after {
        let kept = [
            "ca.",
            "ca-key.",
            "ca-signing.",
            "service-account",
            "encryption-config",
            "ssh",
        ]
        .iter()
        .any(|part| name.contains(part));
        assert_eq!(before[name] == *bytes, kept, "{name}");
    }
    let value: Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!(
        value["renewed"].as_array().unwrap().len(),
        cluster.plan.certificates.len()
    );
    insta::assert_json_snapshot!(value["restart"]);
    // This host's own kubeconfig follows.
    assert_eq!(cluster.hardway(&["pki", "verify"]).code, 0);
}

#[test]
fn a_key_that_does_not_do_is_made_anew() {
    let cluster = Cluster::generated();
    cluster.edit("admin-csr.json", |request| {
        request["key"] = json!({ "algo": "ecdsa", "size": 384 });
    });
    fs::write(cluster.file("kube-proxy-key.pem"), "cut").unwrap();
    fs::remove_file(cluster.file("kube-scheduler-key.pem")).unwrap();
    let serials =
        || ["admin", "kube-proxy"].map(|name| serial(&cluster.read(&format!("{name}.pem"))));
    let before = serials();
    let told = cluster.hardway(&["pki", "renew", "admin", "kube-proxy", "kube-scheduler"]);
    assert_eq!(told.code, 0, "{}", told.err);
    insta::assert_snapshot!(undated(&told.out));
    assert!(before.iter().zip(serials()).all(|(old, new)| *old != new));
    assert!(fields(&cluster.read("admin.pem")).key.ends_with(" 384"));
    assert_eq!(cluster.hardway(&["pki", "verify"]).code, 0);
}

#[test]
fn what_cannot_be_renewed() {
    let cluster = Cluster::generated();
    let before = cluster.files();
    let mut told = String::new();
    for names in [&["etcd-ca"][..], &["admn"], &["admin", "nobody"], &[]] {
        let run = cluster.hardway(&[&["pki", "renew"], names].concat());
        assert_ne!(run.code, 0);
        told += &format!("{}\n", run.err);
    }
    insta::assert_snapshot!(told);
    assert_eq!(cluster.files(), before);
}
