//! `hardway pki import`: the PKI of a cluster that there is, whoever made it.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::show::undated;
use crate::support::{Cluster, Told, run};

/// Another cluster's PKI.
struct Other {
    folder: tempfile::TempDir,
}

impl Other {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("etcd")).unwrap();
        Self { folder }
    }

    /// With the names that kubeadm gives, and RSA as it has it.
    fn kubeadm() -> Self {
        let other = Self::new();
        for (stem, name) in [
            ("ca", "kubernetes"),
            ("etcd/ca", "etcd-ca"),
            ("front-proxy-ca", "front-proxy-ca"),
        ] {
            other.authority(
                [&format!("{stem}.crt"), &format!("{stem}.key")],
                "rsa:2048",
                name,
            );
        }
        other.openssl("genpkey -algorithm RSA -out sa.key");
        other.openssl("pkey -in sa.key -pubout -out sa.pub");
        other.leaf(
            "apiserver",
            "ca",
            "rsa:2048",
            "/CN=kube-apiserver",
            "serverAuth",
        );
        other.leaf(
            "front-proxy-client",
            "front-proxy-ca",
            "ec:P-256",
            "/CN=front-proxy-client",
            "clientAuth",
        );
        other
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn openssl(&self, line: &str) {
        run("openssl", self.path(), &line.split(' ').collect::<Vec<_>>());
    }

    /// A new key of this kind: `rsa:2048`, `ec:P-256`, `ed25519`.
    fn key(&self, kind: &str, file: &str) {
        match kind.split_once(':') {
            Some(("ec", curve)) => self.openssl(&format!(
                "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:{curve} -out {file}"
            )),
            Some((_, bits)) => self.openssl(&format!(
                "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:{bits} -out {file}"
            )),
            None => self.openssl(&format!("genpkey -algorithm {kind} -out {file}")),
        }
    }

    fn authority(&self, [certificate, key]: [&str; 2], kind: &str, name: &str) {
        self.key(kind, key);
        self.root([certificate, key], name, "-days 3650");
    }

    fn root(&self, [certificate, key]: [&str; 2], name: &str, how: &str) {
        self.openssl(&format!(
            "req -x509 -new -key {key} -out {certificate} -subj /CN={name} {how}"
        ));
    }

    fn leaf(&self, stem: &str, authority: &str, kind: &str, subject: &str, usage: &str) {
        self.key(kind, &format!("{stem}.key"));
        self.openssl(&format!(
            "req -new -key {stem}.key -subj {subject} -out request.csr"
        ));
        let extensions = format!("keyUsage=critical,digitalSignature\nextendedKeyUsage={usage}\n");
        fs::write(self.path().join("extensions"), extensions).unwrap();
        self.openssl(&format!(
            "x509 -req -in request.csr -CA {authority}.crt -CAkey {authority}.key -CAcreateserial \
             -days 365 -extfile extensions -out {stem}.crt"
        ));
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).unwrap();
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).unwrap()
    }

    fn imported_by(&self, cluster: &Cluster, more: &[&str]) -> Told {
        let folder = self.path().to_str().unwrap();
        let mut told = cluster.hardway(&[&["pki", "import", folder], more].concat());
        for text in [&mut told.out, &mut told.err] {
            *text = undated(&text.replace(folder, "OTHER"));
        }
        told
    }
}

/// One that has cluster.json, and nothing else.
fn empty() -> Cluster {
    Cluster::external(&[])
}

#[test]
fn what_hardway_made_is_taken_over_whole() {
    let before = Cluster::generated();
    let cluster = empty();
    let folder = before.paths.pki();
    let import = ["pki", "import", folder.to_str().unwrap()];
    let dry = cluster.hardway(&[&import[..], &["--dry-run"]].concat());
    assert_eq!((dry.code, &*dry.err), (0, ""));
    assert!(!cluster.paths.state().exists());
    let told = cluster.hardway(&import);
    assert_eq!((told.code, &*told.err), (0, ""));
    insta::assert_snapshot!(format!("{}---\n{}", dry.out, told.out));
    assert_eq!(cluster.hardway(&["generate"]).code, 0);
    for (name, bytes) in before.files() {
        let own = name.contains("ssh") || name.starts_with("encryption");
        assert!(own || cluster.files()[&name] == bytes, "{name}");
    }
    assert_eq!(cluster.hardway(&["pki", "verify"]).code, 0);
}

#[test]
fn kubeadms_authorities_sign_from_here_on() {
    let other = Other::kubeadm();
    let cluster = empty();
    let told = other.imported_by(&cluster, &[]);
    assert_eq!((told.code, &*told.err), (0, ""));
    let generated = cluster.hardway(&["generate"]);
    assert_eq!(generated.code, 0);
    insta::assert_snapshot!(format!("{}---\n{}", told.out, generated.err));
    for (ours, theirs) in [
        ("ca.pem", "ca.crt"),
        ("etcd-ca-key.pem", "etcd/ca.key"),
        ("front-proxy-client.pem", "front-proxy-client.crt"),
    ] {
        assert_eq!(cluster.read(ours), other.text(theirs), "{ours}");
    }
    let mode = |name: &str| {
        let mode = fs::metadata(cluster.file(name)).unwrap().permissions();
        std::os::unix::fs::PermissionsExt::mode(&mode) & 0o777
    };
    assert_eq!(mode("ca-key.pem"), 0o600);
    assert_eq!(cluster.hardway(&["pki", "verify"]).code, 0);
    // openssl agrees, with its own authority before its eyes.
    let leaf = cluster.file("kube-apiserver.pem");
    run(
        "openssl",
        other.path(),
        &["verify", "-CAfile", "ca.crt", leaf.to_str().unwrap()],
    );
    let again = other.imported_by(&cluster, &["--json"]);
    let value: Value = serde_json::from_str(&again.out).unwrap();
    insta::assert_json_snapshot!(value);
    let nothing = cluster.hardway(&["generate"]);
    // But the copy of ca.pem's certificate, and what holds one.
    let issued = nothing.out.replace("issue ca-signing.pem\n", "");
    assert!(!issued.contains(".pem"), "{issued}");
}

/// Of Kubernetes The Hard Way: one authority for all, and service accounts with a certificate.
#[test]
fn the_hard_ways_files() {
    let other = Other::new();
    other.authority(["ca.crt", "ca.key"], "rsa:2048", "Kubernetes");
    other.leaf(
        "kubernetes",
        "ca",
        "rsa:2048",
        "/CN=kubernetes/O=Kubernetes",
        "serverAuth",
    );
    other.leaf(
        "admin",
        "ca",
        "rsa:2048",
        "/CN=admin/O=system:masters",
        "clientAuth",
    );
    other.leaf(
        "sigma",
        "ca",
        "rsa:2048",
        "/CN=system:node:sigma/O=system:nodes",
        "clientAuth",
    );
    other.leaf(
        "service-account",
        "ca",
        "rsa:2048",
        "/CN=service-accounts",
        "clientAuth",
    );
    for stem in ["ca", "kubernetes", "admin", "sigma", "service-account"] {
        let rename = |from: String, to: String| {
            fs::rename(other.path().join(from), other.path().join(to)).unwrap();
        };
        rename(format!("{stem}.crt"), format!("{stem}.pem"));
        rename(format!("{stem}.key"), format!("{stem}-key.pem"));
    }
    let cluster = empty();
    let told = other.imported_by(&cluster, &[]);
    assert_eq!((told.code, &*told.err), (0, ""));
    insta::assert_snapshot!(told.out);
    assert_eq!(cluster.hardway(&["generate"]).code, 0);
    let verified = cluster.hardway(&["pki", "verify"]);
    assert_eq!(verified.code, 0, "{}", verified.out);
}

/// All of it in one report, and nothing is written.
#[test]
fn what_is_not_taken_over() {
    let cluster = Cluster::generated();
    let before = cluster.files();
    let mut told = String::new();
    let mut refused = |what: &str, other: &Other| {
        let run = other.imported_by(&cluster, &[]);
        assert_eq!((run.code, &*run.out), (1, ""), "{what}");
        assert_eq!(cluster.files(), before, "{what}");
        told += &format!("# {what}\n{}\n", run.err);
    };

    let other = Other::kubeadm();
    other.root(["ca.crt", "ca.key"], "kubernetes", "-days 10");
    other.root(
        ["etcd/ca.crt", "etcd/ca.key"],
        "etcd-ca",
        "-days 3650 -addext basicConstraints=critical,CA:false",
    );
    other.key("rsa:2048", "front-proxy-ca.key");
    other.key("ed25519", "sa.key");
    refused(
        "too late, no authority, another's key, no key for tokens",
        &other,
    );

    let other = Other::kubeadm();
    other.authority(["ca.crt", "ca.key"], "ed25519", "kubernetes");
    other.write("etcd/ca.crt", &other.text("etcd/ca.crt")[..300]);
    other.openssl("pkey -in front-proxy-ca.key -aes256 -passout pass:secret -out locked.key");
    other.write("front-proxy-ca.key", &other.text("locked.key"));
    other.openssl("genpkey -algorithm RSA -out another.key");
    other.openssl("pkey -in another.key -pubout -out sa.pub");
    refused("ed25519, cut short, encrypted, halves of two pairs", &other);

    let other = Other::kubeadm();
    other.write("ca.crt", &other.text("ca.crt").repeat(2));
    fs::remove_file(other.path().join("etcd/ca.key")).unwrap();
    fs::remove_file(other.path().join("front-proxy-ca.crt")).unwrap();
    other.openssl("rsa -in sa.key -aes256 -passout pass:secret -traditional -out locked.key");
    other.write("sa.key", &other.text("locked.key"));
    refused(
        "two in one file, halves that are missing, an older kind of lock",
        &other,
    );

    let other = Other::kubeadm();
    other.key("ec:P-256", "middle.key");
    other.openssl("req -new -key middle.key -subj /CN=middle -out request.csr");
    other.write(
        "extensions",
        "basicConstraints=critical,CA:true\nkeyUsage=digitalSignature\n",
    );
    other.openssl(
        "x509 -req -in request.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 365 -extfile \
         extensions -out middle.crt",
    );
    fs::rename(other.path().join("middle.key"), other.path().join("ca.key")).unwrap();
    fs::rename(other.path().join("middle.crt"), other.path().join("ca.crt")).unwrap();
    other.key("rsa:1024", "etcd/ca.key");
    other.root(["etcd/ca.crt", "etcd/ca.key"], "etcd-ca", "-days 3650");
    other.root(
        ["front-proxy-ca.crt", "front-proxy-ca.key"],
        "front/OU=one/OU=two",
        "-days 3650",
    );
    refused(
        "may not sign, too short a key, a name that is not written here",
        &other,
    );

    let other = Other::kubeadm();
    other.openssl("x509 -in ca.crt -signkey ca.key -days -1 -out ca.crt");
    refused("expired", &other);
    let other = Other::new();
    refused("no PKI", &other);
    let other = Other::kubeadm();
    other.write("ca.pem", "");
    refused("two layouts", &other);
    insta::assert_snapshot!(told);
}

/// The certificate is enough where cluster.json says so.
#[test]
fn an_authority_whose_key_stays_elsewhere() {
    let other = Other::kubeadm();
    fs::remove_file(other.path().join("ca.key")).unwrap();
    let cluster = Cluster::external(&["ca"]);
    let told = other.imported_by(&cluster, &[]);
    assert_eq!((told.code, &*told.err), (0, ""));
    let generated = cluster.hardway(&["generate"]);
    assert_eq!(generated.code, 1);
    insta::assert_snapshot!(format!("{}---\n{}", told.out, generated.err));
    assert!(!cluster.file("ca-key.pem").exists());
}

/// Machines trust what they were installed with.
#[test]
fn installed_machines_keep_their_authorities() {
    let cluster = Cluster::generated();
    for name in ["alpha", "sigma"] {
        let node = cluster.topology.node(name).unwrap();
        let record = cluster.paths.node(&node.name).installed();
        fs::create_dir_all(record.parent().unwrap()).unwrap();
        fs::write(record, "{}").unwrap();
    }
    let before = cluster.files();
    let told = Other::kubeadm().imported_by(&cluster, &[]);
    assert_eq!((told.code, &*told.out), (1, ""));
    insta::assert_snapshot!(told.err);
    assert_eq!(cluster.files(), before);
    // The same authorities are no others.
    let copy = Other::new();
    for (name, bytes) in &before {
        fs::write(copy.path().join(name), bytes).unwrap();
    }
    let told = copy.imported_by(&cluster, &[]);
    assert_eq!((told.code, &*told.err), (0, ""));
    let generated = cluster.hardway(&["generate"]);
    assert_eq!(generated.code, 0);
    assert_eq!(cluster.files(), before);
}
