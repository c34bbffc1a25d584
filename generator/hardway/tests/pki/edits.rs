//! The files below hosts/pki are what is signed from: an edit changes the certificate,
//! and stays through whatever else changes.

use std::fs;

use serde_json::json;

use crate::support::{Cluster, fields};

#[test]
fn an_edit_changes_the_certificate_and_stays() {
    let cluster = Cluster::generated();
    cluster.edit("kube-apiserver-csr.json", |request| {
        request["hosts"]
            .as_array_mut()
            .unwrap()
            .push(json!("api.example.org"));
        request["key"] = json!({ "algo": "rsa", "size": 2048 });
        request["names"] = json!([{ "OU": "ours", "C": "CH" }]);
    });
    assert_eq!(cluster.hardway(&["generate", "--check"]).code, 0);
    let told = cluster.hardway(&["generate"]);
    assert_eq!(told.out, "issue kube-apiserver\n");
    assert_eq!(
        told.err,
        "kube-apiserver is issued anew: its subject was CN=kube-apiserver\n\
         hosts/pki/kube-apiserver-csr.json is kept as you have edited it\n"
    );
    let found = fields(&cluster.read("kube-apiserver.pem"));
    assert_eq!(found.subject, ["C=CH", "OU=ours", "CN=kube-apiserver"]);
    assert_eq!(found.key, "1.2.840.113549.1.1.1 2048");
    assert!(found.names.contains(&"DNS api.example.org".to_owned()));

    // What cluster.json says goes on being followed.
    let json = fs::read_to_string(cluster.paths.cluster_json()).unwrap();
    let json = json.replace("10.240.0.10", "10.240.0.11");
    fs::write(cluster.paths.cluster_json(), json).unwrap();
    assert_eq!(cluster.hardway(&["generate"]).code, 0);
    let names = fields(&cluster.read("kube-apiserver.pem")).names;
    assert!(
        names.contains(&"DNS api.example.org".to_owned()),
        "{names:?}"
    );
    assert!(names.contains(&"IP 10.240.0.11".to_owned()), "{names:?}");
    assert!(!names.contains(&"IP 10.240.0.10".to_owned()), "{names:?}");
    let again = cluster.hardway(&["generate"]);
    assert!(again.out.starts_with("nothing to do"), "{}", again.out);
}

#[test]
fn a_profile_is_edited_for_all_that_are_signed_under_it() {
    let cluster = Cluster::generated();
    cluster.edit("ca-config.json", |config| {
        config["signing"]["profiles"]["client"]["expiry"] = json!("48h");
    });
    assert_eq!(cluster.hardway(&["generate"]).code, 0);
    assert_eq!(fields(&cluster.read("admin.pem")).hours, 48);
    assert_eq!(fields(&cluster.read("kube-apiserver.pem")).hours, 8760);
    // One that lives for two days is not issued anew on every run.
    let again = cluster.hardway(&["generate"]);
    assert!(again.out.starts_with("nothing to do"), "{}", again.out);
}

#[test]
fn an_authority_is_never_replaced_for_an_edit_alone() {
    let cluster = Cluster::generated();
    let before = cluster.files();
    cluster.edit("ca-csr.json", |request| request["CN"] = json!("ours"));
    let told = cluster.hardway(&["generate"]);
    assert_eq!(
        told.err,
        "hosts/pki/ca-csr.json is kept as you have edited it\n\
         ca is kept, although hosts/pki/ca-csr.json asks for another: its subject was \
         CN=kubernetes-ca\n"
    );
    assert_eq!(cluster.files(), before);
}

#[test]
fn edits_that_nobody_can_sign() {
    let cluster = Cluster::generated();
    let files = cluster.files();
    let mut told = String::new();
    let mut refused = |name: &str, change: &dyn Fn(&mut serde_json::Value)| {
        let path = cluster.paths.hosts().join("pki").join(name);
        let whole = fs::read_to_string(&path).unwrap();
        cluster.edit(name, change);
        let run = cluster.hardway(&["generate"]);
        assert_eq!(run.code, 1, "{name}");
        told += &format!("{}\n", run.err);
        fs::write(path, whole).unwrap();
    };
    refused("admin-csr.json", &|request| {
        request["names"][0]["O"] = json!("system:masters");
    });
    refused("admin-csr.json", &|request| {
        request["key"]["algo"] = json!("dsa");
    });
    refused("admin-csr.json", &|request| {
        request["hosts"] = json!(["alpha:6443"]);
    });
    refused("admin-csr.json", &|request| request["cn"] = json!("admin"));
    refused("ca-csr.json", &|request| {
        request["key"] = json!({ "algo": "ed25519" });
    });
    refused("ca-config.json", &|config| {
        config["signing"]["profiles"]["server"]["usages"] = json!(["all of them"]);
    });
    refused("ca-config.json", &|config| {
        config["signing"]["profiles"]["peer"]["expiry"] = json!("a year");
    });
    insta::assert_snapshot!(told);
    fs::write(cluster.paths.hosts().join("pki/admin-csr.json"), "{").unwrap();
    let run = cluster.hardway(&["generate"]);
    assert!(
        run.err
            .starts_with("error: DIR/hosts/pki/admin-csr.json is no JSON\n"),
        "{}",
        run.err
    );
    fs::write(
        cluster.paths.hosts().join("pki/admin-csr.json"),
        " ".repeat(10 << 20),
    )
    .unwrap();
    let run = cluster.hardway(&["generate"]);
    assert!(
        run.err
            .contains("caused by: it is longer than 8 MiB, which no file of a PKI is\n"),
        "{}",
        run.err
    );
    assert_eq!(cluster.files(), files);
}

#[test]
fn modes_that_let_others_read_are_mended_and_told() {
    use std::os::unix::fs::PermissionsExt;
    let cluster = Cluster::generated();
    let set = |path: &std::path::Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    set(&cluster.file("ca-key.pem"), 0o644);
    set(&cluster.paths.pki(), 0o755);
    let judged = cluster.hardway(&["pki", "verify"]);
    assert!(
        judged.out.contains(
            "FAIL  modes: DIR/.hardway/pki has the mode 0755, not 0700\n      \
             DIR/.hardway/pki/ca-key.pem has the mode 0644, not 0600\n"
        ),
        "{}",
        judged.out
    );
    let told = cluster.hardway(&["generate"]);
    assert_eq!(
        told.err,
        "DIR/.hardway/pki is its owner's alone again: its mode was 0755\n\
         DIR/.hardway/pki/ca-key.pem is its owner's alone again: its mode was 0644\n"
    );
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(cluster.file("ca-key.pem")), 0o600);
    assert_eq!(mode(cluster.paths.pki()), 0o700);
    assert_eq!(cluster.hardway(&["pki", "verify"]).code, 0);
}
