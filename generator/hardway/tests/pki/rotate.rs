//! `hardway pki rotate-ca`: no step is skipped, none is taken before the machines are
//! ready for it, and a run that was killed is finished by the next.

use std::fs;
use std::process::Command;

use hardway::deploy::install::Installed;
use hardway::deploy::tarball;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::support::{Cluster, serial};

impl Cluster {
    /// As if `hardway install` or `apply` had brought the keys of now to this node.
    fn bring(&self, node: &str) {
        let plan = self
            .plan
            .nodes
            .iter()
            .find(|plan| plan.name.as_str() == node);
        let files = pki::node_files(plan.unwrap(), &self.paths).unwrap();
        let keys = Sha256::digest(&*tarball::keys(&files).unwrap());
        let record = Installed {
            medium: "nixos".into(),
            medium_sha256: "0".into(),
            flake_sha256: "0".into(),
            keys_sha256: keys.iter().map(|byte| format!("{byte:02x}")).collect(),
            base: None,
            ssh_host_key: None,
            system: "x86_64-linux".into(),
            finished: "2026-11-26T00:00:00Z".into(),
            address: None,
        };
        let name = self
            .topology
            .nodes
            .iter()
            .find(|one| one.name.as_str() == node);
        let path = self.paths.node(&name.unwrap().name).installed();
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, serde_json::to_string(&record).unwrap()).unwrap();
    }

    /// How many certificates are in a file of the PKI.
    fn certificates(&self, name: &str) -> usize {
        self.read(name).matches("BEGIN CERTIFICATE").count()
    }

    /// Whether openssl takes this leaf under what is in that file.
    fn trusts(&self, authorities: &str, leaf: &str) -> bool {
        let answer = Command::new("openssl")
            .args(["verify", "-CAfile"])
            .arg(self.file(authorities))
            .arg(self.file(leaf))
            .output()
            .unwrap();
        answer.status.success()
    }

    fn stays_well(&self) {
        let judged = self.hardway(&["pki", "verify"]);
        assert_eq!(judged.code, 0, "{}{}", judged.out, judged.err);
        let generated = self.hardway(&["generate"]);
        assert!(
            generated.out.starts_with("nothing to do"),
            "{}",
            generated.out
        );
    }
}

#[test]
fn without_machines_all_three_steps_are_one_run() {
    let cluster = Cluster::generated();
    fs::write(cluster.paths.kubeconfig(), "old").unwrap();
    let before = cluster.files();
    let dry = cluster.hardway(&["pki", "rotate-ca", "ca", "--dry-run"]);
    assert_eq!((dry.code, cluster.files() == before), (0, true));
    fs::write(cluster.file("../old.pem"), &before["admin.pem"]).unwrap();
    let told = cluster.hardway(&["pki", "rotate-ca", "ca"]);
    assert_eq!(told.code, 0, "{}", told.err);
    insta::assert_snapshot!(format!("{}---\n{}", dry.out, told.out));
    let after = cluster.files();
    for (name, bytes) in &before {
        let kept = [
            "etcd",
            "front-proxy",
            "service-account",
            "encryption",
            "ssh",
        ]
        .iter()
        .any(|part| name.contains(part));
        assert_eq!(after[name] == *bytes, kept, "{name}");
    }
    assert_eq!(
        after.keys().collect::<Vec<_>>(),
        before.keys().collect::<Vec<_>>()
    );
    assert!(cluster.trusts("ca.pem", "admin.pem"));
    assert!(!cluster.trusts("ca.pem", "../old.pem"));
    cluster.stays_well();
}

#[test]
fn no_step_is_taken_before_every_machine_has_the_last_one() {
    let cluster = Cluster::generated();
    let nodes = ["alpha", "gamma", "sigma"];
    nodes.iter().for_each(|node| cluster.bring(node));
    let rotate = || {
        let told = cluster.hardway(&["pki", "rotate-ca", "ca"]);
        assert_eq!((told.code, &*told.err), (0, ""));
        told.out
    };
    fs::write(cluster.file("../old-ca.pem"), cluster.read("ca.pem")).unwrap();
    let old = serial(&cluster.read("ca.pem"));

    // Both are trusted, and the old one signs.
    let first = rotate();
    assert_eq!(cluster.certificates("ca.pem"), 2);
    assert_eq!(serial(&cluster.read("ca-signing.pem")), old);
    assert!(cluster.trusts("../old-ca.pem", "admin.pem"));
    cluster.stays_well();
    let shown = cluster.hardway(&["pki", "show", "--json"]);
    let shown: Value = serde_json::from_str(&shown.out).unwrap();
    assert_eq!(shown[0]["alsoTrusted"]["subject"], "CN=kubernetes-ca");
    // One machine is not enough.
    cluster.bring("alpha");
    let files = cluster.files();
    let again = rotate();
    assert_eq!(cluster.files(), files);

    // The new one signs, and both are trusted.
    nodes.iter().for_each(|node| cluster.bring(node));
    let second = rotate();
    assert_eq!(cluster.certificates("ca.pem"), 2);
    assert_ne!(serial(&cluster.read("ca-signing.pem")), old);
    assert!(cluster.trusts("ca-signing.pem", "kubelet-client-sigma.pem"));
    assert!(!cluster.trusts("../old-ca.pem", "kubelet-client-sigma.pem"));
    assert!(!cluster.file("ca-next-key.pem").exists());
    cluster.stays_well();

    // The new one alone; over once the machines know.
    nodes.iter().for_each(|node| cluster.bring(node));
    let third = rotate();
    assert_eq!(cluster.certificates("ca.pem"), 1);
    nodes.iter().for_each(|node| cluster.bring(node));
    let last = rotate();
    assert!(!cluster.file("rotation.json").exists());
    cluster.stays_well();
    insta::assert_snapshot!([first, again, second, third, last].join("---\n"));
}

#[test]
fn what_a_kill_left_is_finished() {
    let cluster = Cluster::generated();
    cluster.bring("alpha");
    let run = || cluster.hardway(&["pki", "rotate-ca", "ca"]);
    // Killed before the new authority was trusted: its key alone is there.
    assert_eq!(run().code, 0);
    let key = cluster.read("ca-next-key.pem");
    fs::write(cluster.file("ca.pem"), cluster.read("ca-signing.pem")).unwrap();
    assert_eq!(run().code, 0);
    assert_eq!(cluster.read("ca-next-key.pem"), key);
    assert_eq!(cluster.certificates("ca.pem"), 2);
    cluster.stays_well();

    // Killed between the new certificate's place and its key's.
    let old_key = cluster.read("ca-key.pem");
    cluster.bring("alpha");
    assert_eq!(run().code, 0);
    fs::rename(cluster.file("ca-key.pem"), cluster.file("ca-next-key.pem")).unwrap();
    fs::write(cluster.file("ca-key.pem"), old_key).unwrap();
    let stuck = cluster.hardway(&["generate"]);
    assert_eq!(stuck.code, 1);
    insta::assert_snapshot!(stuck.err, @r"
    error: cannot use the authority DIR/.hardway/pki/ca.pem
    caused by: its key does not belong to its certificate
    hint: it is being replaced; go on with that: hardway pki rotate-ca ca
    ");
    assert_eq!(run().code, 0);
    cluster.stays_well();
    // Killed while leaves were issued.
    fs::remove_file(cluster.file("admin.pem")).unwrap();
    assert_eq!(run().code, 0);
    cluster.stays_well();
}

#[test]
fn an_edited_request_makes_another_kind_of_authority() {
    let cluster = Cluster::generated();
    cluster.edit("etcd-ca-csr.json", |request| {
        request["CN"] = "etcd of mine".into();
        request["key"] = serde_json::json!({ "algo": "ecdsa", "size": 384 });
    });
    assert_eq!(cluster.hardway(&["pki", "rotate-ca", "etcd-ca"]).code, 0);
    let shown = cluster.hardway(&["pki", "show", "etcd-ca", "--json"]);
    let shown: Value = serde_json::from_str(&shown.out).unwrap();
    assert_eq!(shown[0]["subject"], "CN=etcd of mine");
    assert_eq!(shown[0]["key"], "ecdsa 384");
    assert!(cluster.trusts("etcd-ca.pem", "etcd-peer-alpha.pem"));
    assert_eq!(cluster.hardway(&["pki", "verify"]).code, 0);
}

#[test]
fn what_cannot_be_begun() {
    let cluster = Cluster::generated();
    let mut said = vec![cluster.hardway(&["pki", "rotate-ca", "admin"]).err];
    // A leaf that is on no machine yet.
    cluster.bring("alpha");
    cluster.hardway(&["pki", "renew", "kube-apiserver"]);
    said.push(cluster.hardway(&["pki", "rotate-ca", "ca"]).err);
    cluster.bring("alpha");
    assert_eq!(cluster.hardway(&["pki", "rotate-ca", "ca"]).code, 0);
    said.push(cluster.hardway(&["pki", "rotate-ca", "etcd-ca"]).err);
    let folder = cluster.paths.pki().display().to_string();
    said.push(cluster.hardway(&["pki", "import", &folder]).err);
    fs::write(cluster.file("rotation.json"), "{").unwrap();
    said.push(cluster.hardway(&["pki", "rotate-ca", "ca"]).err);
    insta::assert_snapshot!(said.join("\n"));
}
