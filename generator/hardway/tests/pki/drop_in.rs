//! `hardway pki gencert` and `hardway pki json` in the place of cfssl and cfssljson: on
//! either side of the pipe, and for every kind of key and name.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Fields, command, fields};

/// A folder with an authority's request, the profiles of the tutorials, and a node's request.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, value: &Value| {
        fs::write(folder.path().join(name), value.to_string()).unwrap();
    };
    write(
        "ca-csr.json",
        &json!({
            "CN": "Kubernetes",
            "key": { "algo": "ecdsa", "size": 256 },
            "names": [{ "C": "US", "L": "Portland", "O": "Kubernetes", "OU": "CA", "ST": "Oregon" }],
        }),
    );
    write(
        "ca-config.json",
        &json!({ "signing": {
            "default": { "expiry": "8760h" },
            "profiles": { "kubernetes": {
                "usages": ["signing", "key encipherment", "server auth", "client auth"],
                "expiry": "8760h",
            } },
        } }),
    );
    write(
        "node-csr.json",
        &json!({
            "CN": "system:node:sigma",
            "hosts": ["sigma", "10.240.0.21"],
            "key": { "algo": "ecdsa", "size": 256 },
            "names": [{ "O": "system:nodes" }],
        }),
    );
    folder
}

/// Runs a line of shell with `hardway` on PATH; its standard error where it fails.
fn shell(folder: &Path, line: &str) -> Result<(), String> {
    let hardway = Path::new(env!("CARGO_BIN_EXE_hardway")).parent().unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new("bash")
        .args(["-o", "pipefail", "-c", line])
        .current_dir(folder)
        .env("PATH", format!("{}:{path}", hardway.display()))
        .output()
        .unwrap();
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8(output.stderr).unwrap()),
    }
}

fn certificate(folder: &Path, name: &str) -> Fields {
    let stem = name.trim_end_matches(".pem");
    // The three files belong together.
    let public = |args: &[&str]| command("openssl", folder, args).stdout;
    let key = format!("{stem}-key.pem");
    let csr = format!("{stem}.csr");
    let of_key = public(&["pkey", "-in", &key, "-pubout"]);
    assert!(!of_key.is_empty());
    assert_eq!(public(&["x509", "-in", name, "-noout", "-pubkey"]), of_key);
    assert_eq!(
        public(&["req", "-in", &csr, "-noout", "-pubkey", "-verify"]),
        of_key
    );
    fields(&fs::read_to_string(folder.join(name)).unwrap())
}

#[test]
fn either_program_on_either_side_of_the_pipe() {
    let ours = ("hardway pki gencert", "hardway pki json");
    let theirs = ("cfssl gencert", "cfssljson");
    let mut found = Vec::new();
    for (gencert, json) in [theirs, ours, (ours.0, theirs.1), (theirs.0, ours.1)] {
        let folder = folder();
        for line in [
            format!("{gencert} -initca ca-csr.json | {json} -bare ca"),
            format!(
                "{gencert} -ca ca.pem -ca-key=ca-key.pem -config ca-config.json \
                 -profile=kubernetes node-csr.json | {json} -bare node"
            ),
            format!(
                "{gencert} -ca=ca.pem -ca-key=ca-key.pem -config=ca-config.json \
                 -hostname=gamma,10.240.0.22 -profile kubernetes - <node-csr.json | {json} -bare other"
            ),
        ] {
            shell(folder.path(), &line).unwrap_or_else(|error| panic!("{line}: {error}"));
        }
        let verify = ["verify", "-CAfile", "ca.pem", "node.pem", "other.pem"];
        crate::support::run("openssl", folder.path(), &verify);
        found
            .push(["ca.pem", "node.pem", "other.pem"].map(|name| certificate(folder.path(), name)));
    }
    for other in &found[1..] {
        assert_eq!(*other, found[0]);
    }
    insta::assert_json_snapshot!(found[0]);
}

/// One program's authority, the other's certificate: each reads what the other wrote.
#[test]
fn each_signs_under_the_others_authority() {
    for (authority, leaf) in [("cfssl", "hardway pki"), ("hardway pki", "cfssl")] {
        for key in [
            json!({ "algo": "ecdsa", "size": 256 }),
            json!({ "algo": "ecdsa", "size": 384 }),
            json!({ "algo": "ecdsa", "size": 521 }),
            json!({ "algo": "rsa", "size": 2048 }),
            json!({ "algo": "rsa", "size": 4096 }),
        ] {
            let folder = folder();
            for name in ["ca-csr.json", "node-csr.json"] {
                let path = folder.path().join(name);
                let text = fs::read_to_string(&path).unwrap();
                let mut request: Value = serde_json::from_str(&text).unwrap();
                request["key"] = key.clone();
                fs::write(path, request.to_string()).unwrap();
            }
            for line in [
                format!("{authority} gencert -initca ca-csr.json | cfssljson -bare ca"),
                format!(
                    "{leaf} gencert -ca ca.pem -ca-key ca-key.pem -config ca-config.json \
                     -profile kubernetes node-csr.json | hardway pki json -bare node"
                ),
            ] {
                shell(folder.path(), &line)
                    .unwrap_or_else(|error| panic!("{key}: {line}: {error}"));
            }
            let verify = ["verify", "-CAfile", "ca.pem", "node.pem"];
            crate::support::run("openssl", folder.path(), &verify);
            let found = certificate(folder.path(), "node.pem");
            // The parser counts a key of 521 bits in whole bytes.
            let size = match key["size"].as_u64() {
                Some(521) => 528,
                size => size.unwrap(),
            };
            assert!(found.key.ends_with(&format!(" {size}")), "{}", found.key);
        }
    }
}

#[test]
fn names_of_every_kind_and_the_newest_kind_of_key() {
    let folder = folder();
    let request = json!({
        "CN": "web",
        "hosts": [
            "web.example.org", "*.apps.example.org", "192.0.2.7", "2001:db8::7",
            "ops@example.org", "spiffe://cluster.local/ns/default", "urn:uuid:f81d4fae",
        ],
        "key": { "algo": "ed25519" },
    });
    fs::write(folder.path().join("web-csr.json"), request.to_string()).unwrap();
    shell(
        folder.path(),
        "hardway pki gencert -initca=true ca-csr.json | hardway pki json -bare ca && \
         hardway pki gencert -ca ca.pem -ca-key ca-key.pem web-csr.json | \
         hardway pki json -bare web",
    )
    .unwrap();
    let found = certificate(folder.path(), "web.pem");
    insta::assert_json_snapshot!(found);
    crate::support::run(
        "openssl",
        folder.path(),
        &["verify", "-CAfile", "ca.pem", "web.pem"],
    );
}

/// cfssl 1.7 labels this kind of PKCS#8 with a word of its own.
#[test]
fn an_ed25519_authority_as_cfssl_writes_it_signs() {
    let folder = folder();
    let request = json!({ "CN": "ca", "key": { "algo": "ed25519" } });
    fs::write(folder.path().join("ca-csr.json"), request.to_string()).unwrap();
    shell(
        folder.path(),
        "hardway pki gencert -initca ca-csr.json | hardway pki json -bare ca && \
         sed -i 's/ PRIVATE/ Ed25519 PRIVATE/' ca-key.pem && \
         grep -c 'Ed25519 PRIVATE KEY-' ca-key.pem && \
         hardway pki gencert -ca ca.pem -ca-key ca-key.pem node-csr.json | \
         hardway pki json -bare node",
    )
    .unwrap();
    let verify = ["verify", "-CAfile", "ca.pem", "node.pem"];
    crate::support::run("openssl", folder.path(), &verify);
}

#[test]
fn what_is_refused_and_in_which_words() {
    let folder = folder();
    let line = "hardway pki gencert -initca ca-csr.json | hardway pki json -bare ca";
    shell(folder.path(), line).unwrap();
    let whole = fs::read_to_string(folder.path().join("ca.pem")).unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("two.pem", &whole.repeat(2));
    write("cut.pem", &whole[..whole.len() / 2]);
    write("long.json", &format!("{{{}}}", " ".repeat(10 << 20)));
    write("middling.json", &format!("{{{}}}", " ".repeat(2 << 20)));
    write(
        "dsa.json",
        r#"{ "CN": "a", "key": { "algo": "dsa", "size": 2048 } }"#,
    );
    write(
        "rsa.json",
        r#"{ "CN": "a", "key": { "algo": "rsa", "size": 1024 } }"#,
    );
    write("name.json", r#"{ "CN": "a", "hosts": ["not a name"] }"#);
    write("port.json", r#"{ "CN": "a", "hosts": ["alpha:6443"] }"#);
    write(
        "twice.json",
        r#"{ "CN": "a", "names": [{ "O": "x" }, { "O": "y" }] }"#,
    );
    write("nobody.json", "{}");
    write("empty.json", "");
    let sign = "-ca ca.pem -ca-key ca-key.pem -config ca-config.json -profile kubernetes";
    let mut told = String::new();
    for line in [
        &format!("gencert {sign} dsa.json"),
        &format!("gencert {sign} rsa.json"),
        &format!("gencert {sign} name.json"),
        &format!("gencert {sign} port.json"),
        &format!("gencert {sign} twice.json"),
        &format!("gencert {sign} nobody.json"),
        &format!("gencert {sign} empty.json"),
        &format!("gencert {sign} long.json"),
        &format!("gencert {sign} middling.json"),
        &format!("gencert {sign} none.json"),
        "gencert -ca ca.pem -ca-key ca-key.pem -config ca-config.json -profile other node-csr.json",
        "gencert -ca two.pem -ca-key ca-key.pem node-csr.json",
        "gencert -ca cut.pem -ca-key ca-key.pem node-csr.json",
        "gencert -ca ca.pem -ca-key ca.pem node-csr.json",
        "json -bare node <node-csr.json",
        "json -bare node </dev/null",
    ] {
        let error = shell(folder.path(), &format!("hardway pki {line}")).unwrap_err();
        told += &format!("$ {line}\n{error}");
    }
    insta::assert_snapshot!(told);
}
