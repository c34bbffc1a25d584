//! What others take from the PKI: kubeconfigs, identities, a node's files, the
//! encryption of Secrets.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use base64::{Engine, engine::general_purpose::STANDARD};

use time::{Duration, OffsetDateTime};
use x509_parser::pem::parse_x509_pem;

use crate::support::{Cluster, fields, run};

/// The text after `field:`, decoded.
pub(crate) fn embedded(kubeconfig: &str, field: &str) -> String {
    let value = kubeconfig
        .lines()
        .find_map(|line| line.trim().strip_prefix(field)?.strip_prefix(": "))
        .unwrap();
    String::from_utf8(STANDARD.decode(value).unwrap()).unwrap()
}

#[test]
fn the_hosts_kubeconfig() {
    let cluster = Cluster::new();
    cluster.ensure();
    pki::host_kubeconfig(&cluster.topology, &cluster.paths).unwrap();
    let path = cluster.paths.kubeconfig();
    let text = fs::read_to_string(&path).unwrap();
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    let mut shown = text.clone();
    for (field, file) in [
        ("certificate-authority-data", "ca.pem"),
        ("client-certificate-data", "admin.pem"),
        ("client-key-data", "admin-key.pem"),
    ] {
        assert_eq!(embedded(&text, field), cluster.read(file));
        shown = shown.replace(&STANDARD.encode(cluster.read(file)), &format!("({file})"));
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn each_kubeconfig_holds_its_own_credentials() {
    let cluster = Cluster::new();
    cluster.ensure();
    for kubeconfig in &cluster.plan.kubeconfigs {
        let text = cluster.read(&format!("{}.kubeconfig", kubeconfig.name));
        let certificate = embedded(&text, "client-certificate-data");
        let name = &kubeconfig.certificate;
        assert_eq!(certificate, cluster.read(&format!("{name}.pem")));
        assert_eq!(
            embedded(&text, "client-key-data"),
            cluster.read(&format!("{name}-key.pem"))
        );
        assert_eq!(
            embedded(&text, "certificate-authority-data"),
            cluster.read("ca.pem")
        );
        // The API server will know the client by the name that the file shows.
        let user = format!("CN={}", kubeconfig.user);
        assert_eq!(fields(&certificate).subject.last(), Some(&user));
        assert!(
            text.contains(&format!("server: \"{}\"\n", kubeconfig.server)),
            "{text}"
        );
    }
}

#[test]
fn the_first_administrator_lives_for_ten_minutes_in_memory() {
    let cluster = Cluster::new();
    cluster.ensure();
    let before = cluster.files();
    let identity = pki::bootstrap_identity(&cluster.topology, &cluster.paths).unwrap();
    assert_eq!(cluster.files(), before);
    assert_eq!(identity.ca_pem, cluster.read("ca.pem"));
    let (_, pem) = parse_x509_pem(identity.certificate_pem.as_bytes()).unwrap();
    let certificate = pem.parse_x509().unwrap();
    assert_eq!(
        certificate.subject().to_string(),
        "O=system:masters, CN=hardway-bootstrap"
    );
    let left = certificate.validity().not_after.to_datetime() - OffsetDateTime::now_utc();
    assert!(
        left <= Duration::minutes(10) && left > Duration::minutes(9),
        "{left}"
    );
    assert!(!format!("{identity:?}").contains("PRIVATE KEY"));

    let path = cluster.folder.path().join("bootstrap.pem");
    fs::write(&path, &identity.certificate_pem).unwrap();
    let path = path.to_str().unwrap();
    let verify = [
        "verify",
        "-x509_strict",
        "-purpose",
        "sslclient",
        "-CAfile",
        "ca.pem",
        path,
    ];
    run("openssl", &cluster.paths.pki(), &verify);
}

#[test]
fn the_administrators_identity_is_what_is_stored() {
    let cluster = Cluster::new();
    cluster.ensure();
    let identity = pki::admin_identity(&cluster.paths).unwrap();
    assert_eq!(identity.certificate_pem, cluster.read("admin.pem"));
    assert_eq!(*identity.key_pem, cluster.read("admin-key.pem"));
    assert_eq!(identity.ca_pem, cluster.read("ca.pem"));
}

#[test]
fn a_node_gets_exactly_what_its_plan_names() {
    let cluster = Cluster::new();
    cluster.ensure();
    for node in &cluster.plan.nodes {
        let files = pki::node_files(node, &cluster.paths).unwrap();
        let names: Vec<&String> = files.iter().map(|(name, _)| name).collect();
        assert_eq!(names, node.pki.keys().collect::<Vec<_>>());
        for (name, bytes) in &files {
            assert_eq!(**bytes, fs::read(cluster.file(name)).unwrap(), "{name}");
        }
    }
}

#[test]
fn secrets_are_encrypted_with_a_key_of_32_random_bytes() {
    let (one, other) = (Cluster::new(), Cluster::new());
    one.ensure();
    other.ensure();
    let text = one.read("encryption-config.yaml");
    assert_ne!(text, other.read("encryption-config.yaml"));
    let (before, rest) = text.split_once("secret: ").unwrap();
    let (secret, after) = rest.split_once('\n').unwrap();
    assert_eq!(STANDARD.decode(secret).unwrap().len(), 32);
    insta::assert_snapshot!(format!("{before}secret: (32 bytes)\n{after}"));
}
