//! Every certificate of the default cluster, field by field, and openssl's word on it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use model::plan::Authority;

use crate::support::{Cluster, extensions, fields, run, serial};

#[test]
fn every_certificate_field_by_field() {
    let cluster = Cluster::new();
    cluster.ensure();
    let table: BTreeMap<String, _> = cluster
        .files()
        .into_iter()
        .filter_map(|(name, bytes)| {
            let text = String::from_utf8(bytes).unwrap();
            let name = name.strip_suffix(".pem")?.to_owned();
            text.starts_with("-----BEGIN CERTIFICATE-----\n")
                .then(|| (name, fields(&text)))
        })
        .collect();
    insta::assert_json_snapshot!(table);
}

#[test]
fn openssl_verifies_each_for_its_purpose_and_no_other() {
    let cluster = Cluster::new();
    cluster.ensure();
    let folder = cluster.paths.pki();
    let verify = |purpose: &str, authority: &str, name: &str| {
        let args = [
            "verify",
            "-x509_strict",
            "-purpose",
            purpose,
            "-CAfile",
            authority,
            name,
        ];
        crate::support::command("openssl", &folder, &args)
            .status
            .success()
    };
    for authority in Authority::ALL {
        let name = format!("{}.pem", authority.stem());
        run(
            "openssl",
            &folder,
            &["verify", "-x509_strict", "-CAfile", &name, &name],
        );
    }
    for leaf in &cluster.plan.certificates {
        let name = format!("{}.pem", leaf.name);
        let usages = fields(&cluster.read(&name)).extended_key_usage;
        for authority in Authority::ALL {
            for (purpose, word) in [("sslserver", "server"), ("sslclient", "client")] {
                assert_eq!(
                    verify(purpose, &format!("{}.pem", authority.stem()), &name),
                    authority == leaf.authority && usages.contains(&word),
                    "{name} {purpose} {authority:?}"
                );
            }
        }
    }
}

#[test]
fn openssl_finds_a_server_by_its_names_and_addresses() {
    let cluster = Cluster::new();
    cluster.ensure();
    let folder = cluster.paths.pki();
    let names = |flag: &str, host: &str, certificate: &str| {
        let args = ["verify", "-CAfile", "ca.pem", flag, host, certificate];
        crate::support::command("openssl", &folder, &args)
            .status
            .success()
    };
    let api = "kube-apiserver.pem";
    for host in [
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
        "localhost",
        "alpha",
    ] {
        assert!(names("-verify_hostname", host, api), "{host}");
    }
    // A known slip: this name, without the namespace, is nobody's.
    assert!(!names(
        "-verify_hostname",
        "kubernetes.svc.cluster.local",
        api
    ));
    for address in ["127.0.0.1", "10.32.0.1", "10.240.0.10"] {
        assert!(names("-verify_ip", address, api), "{address}");
        // An address is found as an address only.
        assert!(!names("-verify_hostname", address, api), "{address}");
    }
    assert!(names(
        "-verify_ip",
        "10.240.0.21",
        "kubelet-serving-sigma.pem"
    ));
    assert!(names(
        "-verify_hostname",
        "sigma",
        "kubelet-serving-sigma.pem"
    ));
    assert!(!names(
        "-verify_hostname",
        "gamma",
        "kubelet-serving-sigma.pem"
    ));
}

#[test]
fn a_service_range_of_ones_own_is_in_the_api_servers_names() {
    let mut json: serde_json::Value =
        serde_json::from_str(model::topology::default_json()).unwrap();
    json["network"]["services"] = "172.30.4.0/22".into();
    json["domain"] = "hard.test".into();
    let cluster = Cluster::with(&json);
    cluster.ensure();
    let names = fields(&cluster.read("kube-apiserver.pem")).names;
    assert!(names.contains(&"IP 172.30.4.1".to_owned()), "{names:?}");
    assert!(names.contains(&"DNS kubernetes.default.svc.hard.test".to_owned()));
    assert!(!names.contains(&"IP 10.32.0.1".to_owned()));
}

#[test]
fn extensions_are_those_of_rfc_5280_and_serial_numbers_are_random() {
    let cluster = Cluster::new();
    cluster.ensure();
    // Basic constraints and key usage critical; key identifiers both.
    let leaf = [
        "2.5.29.14",
        "2.5.29.15 critical",
        "2.5.29.19 critical",
        "2.5.29.35",
        "2.5.29.37",
    ];
    assert_eq!(extensions(&cluster.read("admin.pem")), leaf);
    let mut serials: Vec<Vec<u8>> = cluster
        .plan
        .certificates
        .iter()
        .map(|request| serial(&cluster.read(&format!("{}.pem", request.name))))
        .collect();
    let all = serials.len();
    serials.sort();
    serials.dedup();
    assert_eq!(serials.len(), all);
    // Positive: the first bit is the sign.
    assert!(
        serials
            .iter()
            .all(|serial| serial.len() == 16 && serial[0] < 0x80)
    );
}

#[test]
fn keys_are_fresh_valid_and_private() {
    let cluster = Cluster::new();
    cluster.ensure();
    let mut public = Vec::new();
    for (name, bytes) in cluster.files() {
        let mode = fs::metadata(cluster.file(&name))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o7777, 0o600, "{name}");
        if String::from_utf8(bytes)
            .unwrap()
            .starts_with("-----BEGIN PRIVATE KEY-----\n")
        {
            let folder = cluster.paths.pki();
            run(
                "openssl",
                &folder,
                &["pkey", "-in", &name, "-check", "-noout"],
            );
            public.push(run("openssl", &folder, &["pkey", "-in", &name, "-pubout"]));
        }
    }
    // A key for each leaf, each authority and the service accounts; no two the same.
    assert_eq!(public.len(), cluster.plan.certificates.len() + 3 + 1);
    public.sort();
    public.dedup();
    assert_eq!(public.len(), cluster.plan.certificates.len() + 3 + 1);
    for folder in [cluster.paths.state(), cluster.paths.pki()] {
        let mode = fs::metadata(&folder).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o700, "{}", folder.display());
    }
}

#[test]
fn the_service_account_pair_belongs_together() {
    let cluster = Cluster::new();
    cluster.ensure();
    let derived = run(
        "openssl",
        &cluster.paths.pki(),
        &["pkey", "-in", "service-account-key.pem", "-pubout"],
    );
    assert_eq!(cluster.read("service-account.pem"), derived);
    assert!(derived.starts_with("-----BEGIN PUBLIC KEY-----\n"));
    assert_ne!(
        cluster.read("service-account-key.pem"),
        cluster.read("kube-apiserver-key.pem")
    );
}
