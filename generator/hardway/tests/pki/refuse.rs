//! What is refused, in the words that a person reads.

use std::fs;

use common::report::render;

use crate::support::Cluster;

#[test]
fn nobody_is_in_system_masters() {
    let mut cluster = Cluster::new();
    cluster.plan.certificates[0].organization = Some("system:masters".into());
    insta::assert_snapshot!(cluster.failure());
    // It was refused before anything was written.
    assert!(!cluster.paths.state().exists());
}

#[test]
fn a_name_of_no_known_kind() {
    for host in [
        "",
        "two words",
        "10.240.0.300",
        "-alpha",
        "a..b",
        "*.example",
        "ALPHA",
        &"a".repeat(64),
    ] {
        let mut cluster = Cluster::new();
        cluster.plan.certificates[0].hosts = vec![host.into()];
        let told = cluster.failure();
        let expected = format!("caused by: {host:?} is neither a DNS name nor an IP address\n");
        assert!(told.contains(&expected), "{told}");
        assert!(!cluster.paths.state().exists());
    }
}

/// Breaks one file of a made cluster; the run fails, says `snapshot`, and leaves
/// every file as it is.
fn broken(name: &str, text: Option<&str>) -> String {
    let cluster = Cluster::new();
    cluster.ensure();
    match text {
        Some(text) => fs::write(cluster.file(name), text).unwrap(),
        None => fs::remove_file(cluster.file(name)).unwrap(),
    }
    let before = cluster.files();
    let told = cluster.failure();
    assert_eq!(cluster.files(), before, "{name}");
    told
}

#[test]
fn a_broken_authority_is_never_replaced_in_silence() {
    let other = Cluster::new();
    other.ensure();
    insta::assert_snapshot!(
        [
            broken("ca.pem", Some(&other.read("ca.pem")[..200])),
            broken("ca.pem", Some(&other.read("ca.pem").repeat(2))),
            broken("ca.pem", Some(&other.read("admin.pem"))),
            broken("etcd-ca-key.pem", None),
            broken("etcd-ca-key.pem", Some("")),
            broken(
                "front-proxy-ca-key.pem",
                Some(&other.read("front-proxy-ca-key.pem"))
            ),
        ]
        .join("\n")
    );
}

#[test]
fn an_expired_authority_is_an_error() {
    let cluster = Cluster::new();
    cluster.ensure();
    let key = rcgen::KeyPair::from_pem(&cluster.read("ca-key.pem")).unwrap();
    let mut params = rcgen::CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.not_after = time::macros::datetime!(2024-02-29 12:00 UTC);
    fs::write(
        cluster.file("ca.pem"),
        params.self_signed(&key).unwrap().pem(),
    )
    .unwrap();
    let told = cluster.failure();
    assert!(
        told.contains("caused by: it expired on 2024-02-29\n"),
        "{told}"
    );
    assert!(told.contains("\nhint: restore ca.pem"), "{told}");
}

#[test]
fn a_broken_key_of_service_accounts_or_secrets_is_never_replaced_in_silence() {
    let other = Cluster::new();
    other.ensure();
    let config = other.read("encryption-config.yaml");
    let cut = config.find("secret: ").unwrap() + 20;
    insta::assert_snapshot!(
        [
            broken("service-account-key.pem", Some("cut")),
            broken("encryption-config.yaml", Some("")),
            broken(
                "encryption-config.yaml",
                Some(&format!("{}\n", &config[..cut]))
            ),
        ]
        .join("\n")
    );
}

#[test]
fn a_state_folder_that_cannot_be_one() {
    let cluster = Cluster::new();
    fs::write(cluster.paths.state(), "").unwrap();
    let at_state = cluster.failure();
    fs::remove_file(cluster.paths.state()).unwrap();
    fs::create_dir(cluster.paths.state()).unwrap();
    fs::write(cluster.paths.pki(), "").unwrap();
    let at_pki = cluster.failure();
    fs::remove_file(cluster.paths.pki()).unwrap();
    fs::create_dir_all(cluster.file("ca.pem")).unwrap();
    insta::assert_snapshot!([at_state, at_pki, cluster.failure()].join("\n"));
}

#[test]
fn nothing_is_there_yet() {
    let cluster = Cluster::new();
    let told = [
        render(&pki::admin_identity(&cluster.paths).unwrap_err()),
        render(&pki::bootstrap_identity(&cluster.topology, &cluster.paths).unwrap_err()),
        render(&pki::host_kubeconfig(&cluster.topology, &cluster.paths).unwrap_err()),
        render(&pki::node_files(&cluster.plan.nodes[1], &cluster.paths).unwrap_err()),
    ]
    .join("\n");
    insta::assert_snapshot!(cluster.hide(&told));
}
