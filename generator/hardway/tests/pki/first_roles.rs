//! The first role bindings, where the certificate for them has to be signed elsewhere.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use pki::{self, Identity};
use serde_json::{Value, json};

use crate::api_server;
use crate::elsewhere::{ALL, Elsewhere, accept, csr, sign_all, signed};
use crate::show::undated;
use crate::support::{Cluster, DEFAULT, fields};

/// Once, and not for longer than a day, someone may bind the first roles.
#[test]
fn the_first_bindings_are_signed_for_elsewhere() {
    let elsewhere = Elsewhere::new();
    let cluster = signed(&elsewhere);
    let request = csr(&cluster, "bootstrap");
    let long = accept(&cluster, "bootstrap", &elsewhere.sign(&request, "ca", 2));
    assert_eq!(long.code, 1);
    let hour = accept(&cluster, "bootstrap", &elsewhere.sign(&request, "ca", 1));
    assert_eq!((hour.code, &*hour.err), (0, ""));
    let long = long
        .err
        .replace(&elsewhere.path().display().to_string(), "ELSEWHERE");
    insta::assert_snapshot!(undated(&format!("{}---\n{}", long, hour.out)));
    let identity = pki::bootstrap_identity(&cluster.topology, &cluster.paths).unwrap();
    let said = fields(&identity.certificate_pem);
    assert_eq!(said.subject, ["O=system:masters", "CN=hardway-bootstrap"]);
    assert_eq!(said.extended_key_usage, ["client"]);
    assert_eq!(cluster.hardway(&["pki", "verify"]).code, 0);
    pki::bootstrap_done(&cluster.paths).unwrap();
    assert_eq!(fs::read_dir(cluster.paths.requests()).unwrap().count(), 0);
}

/// The API server refuses the administrator at first; then, once, the one that was accepted
/// binds the roles, and nobody may do everything any more.
#[test]
fn what_was_accepted_binds_the_first_roles_once() {
    let elsewhere = Elsewhere::new();
    let mut json: Value = serde_json::from_str(DEFAULT).unwrap();
    json["externalAuthorities"] = json!(ALL);
    for (name, node) in json["nodes"].as_object_mut().unwrap() {
        node["machine"] = json!({ "ssh": format!("root@{name}.example"), "interface": "eth0" });
    }
    let cluster = sign_all(&elsewhere, Cluster::written(&json));
    let identity = Identity {
        certificate_pem: cluster.read("kube-apiserver.pem"),
        key_pem: cluster.read("kube-apiserver-key.pem").into(),
        ca_pem: cluster.read("ca.pem"),
    };
    let patches = AtomicUsize::new(0);
    let port = api_server::serve_as(&identity, move |head, _, _| {
        let status = |code: u16, why: &str| (code, json!({ "message": why }).to_string());
        match head.starts_with("PATCH") {
            false => (200, "ok".to_owned()),
            true if !head.contains("rbac.authorization.k8s.io") => status(400, "no CoreDNS here"),
            true if patches.fetch_add(1, Ordering::Relaxed) < 2 => status(403, "not yet"),
            true => (200, "{}".to_owned()),
        }
    });
    json["apiPort"] = json!(port);
    fs::write(cluster.paths.cluster_json(), json.to_string()).unwrap();

    let without = cluster.hardway(&["bootstrap"]);
    let request = csr(&cluster, "bootstrap");
    let signed = elsewhere.sign(&request, "ca", 1);
    assert_eq!(accept(&cluster, "bootstrap", &signed).code, 0);
    let with = cluster.hardway(&["bootstrap"]);
    // How long each stage took is in the lines before.
    let error = |told: &str| told.split_once("error: ").unwrap().1.to_owned();
    insta::assert_snapshot!(format!("{}---\n{}", error(&without.err), error(&with.err)));
    assert_eq!(fs::read_dir(cluster.paths.requests()).unwrap().count(), 0);
}
