//! The written requests are cfssl's own: the real cfssl takes them, and what it
//! signs says the same as what is issued here.

use std::fs;

use model::plan::{Authority, Usage};
use serde_json::Value;

use crate::support::{Cluster, Fields, command, fields};

/// What `cfssl gencert` gives, parsed.
fn gencert(folder: &std::path::Path, args: &[&str]) -> Fields {
    let output = command("cfssl", folder, &[&["gencert"], args].concat());
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cfssl gencert {args:?}: {error}");
    let answer: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("cfssl gencert {args:?}: {error}"));
    fields(answer["cert"].as_str().unwrap())
}

#[test]
fn cfssl_signs_the_same_certificates_from_the_written_requests() {
    let cluster = Cluster::new();
    cluster.ensure();
    let hosts = cluster.folder.path().join("hosts/pki");
    fs::create_dir_all(&hosts).unwrap();
    let requests = pki::requests(&cluster.plan);
    for (name, text) in &requests {
        fs::write(hosts.join(name), text).unwrap();
    }
    // One request a certificate, one an authority, the profiles, and what edits are told by.
    assert_eq!(requests.len(), cluster.plan.certificates.len() + 3 + 2);

    for authority in Authority::ALL {
        let request = format!("{}-csr.json", authority.stem());
        assert_eq!(
            gencert(&hosts, &["-initca", &request]),
            fields(&cluster.read(&format!("{}.pem", authority.stem()))),
        );
    }
    for leaf in &cluster.plan.certificates {
        let stem = leaf.authority.stem();
        let profile = match leaf.usage {
            Usage::Server => "server",
            Usage::Client => "client",
            Usage::Peer => "peer",
        };
        let ours = format!("{}.pem", leaf.name);
        let theirs = gencert(
            &hosts,
            &[
                "-ca",
                &format!("../../.hardway/pki/{stem}.pem"),
                "-ca-key",
                &format!("../../.hardway/pki/{stem}-key.pem"),
                "-config",
                "ca-config.json",
                "-profile",
                profile,
                &format!("{}-csr.json", leaf.name),
            ],
        );
        assert_eq!(theirs, fields(&cluster.read(&ours)), "{}", leaf.name);
    }
}

#[test]
fn the_written_requests_read_well() {
    let requests = pki::requests(&Cluster::new().plan);
    let text: String = [
        "ca-config.json",
        "ca-csr.json",
        "kubelet-serving-sigma-csr.json",
        "kube-apiserver-csr.json",
    ]
    .map(|name| format!("{name}\n{}", requests[name]))
    .concat();
    insta::assert_snapshot!(text);
}
