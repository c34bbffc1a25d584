//! Authorities whose keys are elsewhere: here, openssl's. What is asked of them, what is
//! taken back, and what is not.

use std::fs;
use std::path::{Path, PathBuf};

use model::topology::Authority;

use crate::show::undated;
use crate::support::{Cluster, Told, run};

/// openssl with an authority of its own.
pub(crate) struct Elsewhere {
    folder: tempfile::TempDir,
}

impl Elsewhere {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let one = Self { folder };
        for stem in Authority::ALL.map(Authority::stem) {
            one.authority(stem, "3650");
        }
        one
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    fn openssl(&self, line: &str) -> String {
        run("openssl", self.path(), &line.split(' ').collect::<Vec<_>>())
    }

    fn authority(&self, stem: &str, days: &str) {
        self.openssl(&format!(
            "req -x509 -newkey rsa:2048 -nodes -keyout {stem}-key.pem -out {stem}.pem -days {days} \
             -subj /O=Elsewhere/CN={stem}"
        ));
    }

    /// Signs a request with what it asks for.
    pub(crate) fn sign(&self, request: &str, authority: &str, days: i32) -> PathBuf {
        self.signed(
            request,
            authority,
            &format!("-days {days} -copy_extensions copy"),
        )
    }

    fn signed(&self, request: &str, authority: &str, how: &str) -> PathBuf {
        fs::write(self.file("request.csr"), request).unwrap();
        self.openssl(&format!(
            "x509 -req -in request.csr -CA {authority}.pem -CAkey {authority}-key.pem \
             -CAcreateserial -out signed.pem {how}"
        ));
        self.file("signed.pem")
    }

    /// Its certificates go where `hardway` looks for them; its keys do not.
    fn trusted_by(&self, cluster: &Cluster) {
        fs::create_dir_all(cluster.paths.pki()).unwrap();
        for stem in Authority::ALL.map(Authority::stem) {
            let name = format!("{stem}.pem");
            fs::copy(self.file(&name), cluster.file(&name)).unwrap();
        }
    }
}

pub(crate) const ALL: [&str; 3] = ["ca", "etcd-ca", "front-proxy-ca"];

pub(crate) fn accept(cluster: &Cluster, name: &str, file: &Path) -> Told {
    cluster.hardway(&["pki", "accept", name, file.to_str().unwrap()])
}

pub(crate) fn csr(cluster: &Cluster, name: &str) -> String {
    let told = cluster.hardway(&["pki", "csr", name]);
    assert_eq!(told.code, 0, "{}", told.err);
    told.out
}

/// A cluster with everything that was to be signed elsewhere.
pub(crate) fn signed(elsewhere: &Elsewhere) -> Cluster {
    sign_all(elsewhere, Cluster::external(&ALL))
}

pub(crate) fn sign_all(elsewhere: &Elsewhere, cluster: Cluster) -> Cluster {
    elsewhere.trusted_by(&cluster);
    assert_eq!(cluster.hardway(&["generate"]).code, 1);
    for leaf in &cluster.plan.certificates {
        let request = csr(&cluster, &leaf.name);
        let signed = elsewhere.sign(&request, leaf.authority.stem(), 90);
        let told = accept(&cluster, &leaf.name, &signed);
        assert_eq!(told.code, 0, "{}: {}", leaf.name, told.err);
    }
    assert_eq!(cluster.hardway(&["generate"]).code, 0);
    cluster
}

#[test]
fn from_no_key_at_all_to_a_whole_pki() {
    let elsewhere = Elsewhere::new();
    let cluster = Cluster::external(&ALL);
    let nothing = cluster.hardway(&["generate"]);
    elsewhere.trusted_by(&cluster);
    let listed = cluster.hardway(&["generate"]);
    let asked = cluster.hardway(&["pki", "csr"]);
    insta::assert_snapshot!([nothing.err, listed.err, asked.out, asked.err].join("---\n"));
    let mut said = String::new();
    for leaf in &cluster.plan.certificates {
        let request = cluster.paths.requests().join(format!("{}.csr", leaf.name));
        let request = fs::read_to_string(request).unwrap();
        let file = elsewhere.sign(&request, leaf.authority.stem(), 90);
        let told = accept(&cluster, &leaf.name, &file);
        assert_eq!((told.code, &*told.err), (0, ""), "{}", leaf.name);
        said = told.out;
        run(
            "openssl",
            &cluster.paths.pki(),
            &[
                "verify",
                "-CAfile",
                &format!("{}.pem", leaf.authority.stem()),
                &format!("{}.pem", leaf.name),
            ],
        );
    }
    insta::assert_snapshot!("accepted", undated(&said));
    assert_eq!(fs::read_dir(cluster.paths.requests()).unwrap().count(), 0);

    let whole = cluster.hardway(&["generate"]);
    assert_eq!((whole.code, &*whole.err), (0, ""));
    let again = cluster.hardway(&["generate"]);
    assert!(again.out.starts_with("nothing to do"), "{}", again.out);
    let verified = cluster.hardway(&["pki", "verify"]);
    assert_eq!(verified.code, 0, "{}", verified.out);
    insta::assert_snapshot!("verified", undated(&verified.out));
    assert_eq!(
        cluster.hardway(&["pki", "csr", "--all"]).out,
        "nothing to ask for: all that is signed elsewhere is here and will do\n"
    );
    // The key of an authority goes nowhere, and no program is told of one.
    let node = fs::read_to_string(cluster.paths.hosts().join("alpha/default.nix")).unwrap();
    assert!(
        !node.contains("\"ca-key.pem\"") && !node.contains("cluster-signing"),
        "{node}"
    );

    fs::copy(elsewhere.file("ca-key.pem"), cluster.file("ca-key.pem")).unwrap();
    let stray = cluster.hardway(&["pki", "verify"]);
    assert_eq!(stray.code, 1);
    let line = stray.out.lines().find(|line| line.contains("keys:"));
    insta::assert_snapshot!("a_stray_key", format!("{}\n{}", line.unwrap(), stray.err));
}

#[test]
fn a_request_says_all_that_is_asked_for() {
    let cluster = Cluster::external(&ALL);
    Elsewhere::new().trusted_by(&cluster);
    cluster.hardway(&["generate"]);
    cluster.edit("kube-apiserver-csr.json", |request| {
        request["key"] = serde_json::json!({ "algo": "rsa", "size": 2048 });
    });
    let first = csr(&cluster, "kube-apiserver");
    let out = cluster.folder.path().join("one.csr");
    let told = cluster.hardway(&[
        "pki",
        "csr",
        "kube-apiserver",
        "--out",
        out.to_str().unwrap(),
    ]);
    assert_eq!((told.code, &*told.out), (0, ""));
    let text = run(
        "openssl",
        cluster.folder.path(),
        &["req", "-in", "one.csr", "-verify", "-noout", "-text"],
    );
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| {
            [
                "Subject:",
                "DNS:",
                "TLS",
                "Digital",
                "CA:",
                "Public-Key",
                "verify",
                "X509v3",
            ]
            .iter()
            .any(|part| line.contains(part))
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
    // The key is the same both times: nothing is asked for twice.
    let public = |name: &str| {
        run(
            "openssl",
            cluster.folder.path(),
            &["req", "-in", name, "-noout", "-pubkey"],
        )
    };
    fs::write(cluster.folder.path().join("first.csr"), first).unwrap();
    assert_eq!(public("first.csr"), public("one.csr"));
    // And it waits apart, for its owner alone.
    assert!(!cluster.file("kube-apiserver-key.pem").exists());
    let waiting = cluster.paths.requests().join("kube-apiserver-key.pem");
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&fs::metadata(waiting).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_program_asks_and_brings_back() {
    let elsewhere = Elsewhere::new();
    let cluster = Cluster::external(&ALL);
    elsewhere.trusted_by(&cluster);
    cluster.hardway(&["generate"]);
    let json = |told: Told| -> serde_json::Value {
        assert_eq!((told.code, &*told.err), (0, ""));
        serde_json::from_str(&told.out).unwrap()
    };
    let asked = json(cluster.hardway(&["pki", "csr", "--json", "admin"]));
    let [one] = asked.as_array().unwrap().as_slice() else {
        panic!("{asked}");
    };
    assert_eq!(
        (&one["name"], &one["authority"]),
        (&"admin".into(), &"ca".into())
    );
    assert!(!cluster.paths.requests().join("admin.csr").exists());
    let file = elsewhere.sign(one["pem"].as_str().unwrap(), "ca", 90);
    let taken =
        json(cluster.hardway(&["pki", "accept", "--json", "admin", file.to_str().unwrap()]));
    assert_eq!(
        taken["files"],
        serde_json::json!(["admin.pem", "admin-key.pem", "admin.kubeconfig"]),
        "{taken}"
    );
}

/// Each is refused in words that say what differs, and nothing changes.
#[test]
fn what_is_not_accepted() {
    let elsewhere = Elsewhere::new();
    let cluster = signed(&elsewhere);
    let before = cluster.files();
    let server = csr(&cluster, "kube-apiserver");
    let admin = csr(&cluster, "admin");
    let folder = elsewhere.path();
    let mut told = String::new();
    let mut refused = |what: &str, name: &str, file: &Path| {
        let run = accept(&cluster, name, file);
        assert_eq!((run.code, &*run.out), (1, ""), "{what}");
        assert_eq!(cluster.files(), before, "{what}");
        let said = run.err.replace(&folder.display().to_string(), "ELSEWHERE");
        told += &format!("# {what}\n{}\n", undated(&said));
    };
    let extensions = |text: &str| {
        fs::write(elsewhere.file("extensions"), text).unwrap();
        "-days 90 -extfile extensions"
    };

    refused(
        "no extensions",
        "kube-apiserver",
        &elsewhere.signed(&server, "ca", "-days 90"),
    );
    refused(
        "fewer names, and one that is strange",
        "kube-apiserver",
        &elsewhere.signed(
            &server,
            "ca",
            extensions(
                "subjectAltName=DNS:kubernetes,DNS:example.org\nextendedKeyUsage=serverAuth",
            ),
        ),
    );
    refused(
        "more powerful usages",
        "admin",
        &elsewhere.signed(
            &admin,
            "ca",
            extensions("extendedKeyUsage=clientAuth,serverAuth"),
        ),
    );
    refused(
        "an authority",
        "admin",
        &elsewhere.signed(
            &admin,
            "ca",
            extensions("basicConstraints=critical,CA:true\nkeyUsage=keyCertSign,digitalSignature\nextendedKeyUsage=clientAuth"),
        ),
    );
    refused(
        "another authority",
        "admin",
        &elsewhere.sign(&admin, "etcd-ca", 90),
    );
    refused("expired", "admin", &elsewhere.sign(&admin, "ca", -1));
    refused(
        "another request's",
        "admin",
        &elsewhere.sign(&server, "ca", 90),
    );
    elsewhere.openssl(
        "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout other-key.pem -out \
         other.csr -subj /O=system:masters/CN=admin -addext extendedKeyUsage=clientAuth",
    );
    let other = fs::read_to_string(elsewhere.file("other.csr")).unwrap();
    refused("system:masters", "admin", &elsewhere.sign(&other, "ca", 90));

    let good = elsewhere.sign(&admin, "ca", 90);
    let text = fs::read_to_string(&good).unwrap();
    let chain = elsewhere.file("chain.pem");
    fs::write(
        &chain,
        text.clone() + &fs::read_to_string(elsewhere.file("ca.pem")).unwrap(),
    )
    .unwrap();
    refused("a chain", "admin", &chain);
    let cut = elsewhere.file("cut.pem");
    fs::write(&cut, &text[..300]).unwrap();
    refused("cut short", "admin", &cut);
    refused("a key", "admin", &elsewhere.file("ca-key.pem"));
    refused("an authority's name", "etcd-ca", &good);
    refused("nobody's name", "admim", &good);
    refused("no file", "admin", &elsewhere.file("nothing.pem"));
    insta::assert_snapshot!(told);
    // The same certificate, alone and whole, is.
    fs::write(&good, text).unwrap();
    assert_eq!(accept(&cluster, "admin", &good).code, 0);
}

#[test]
fn an_authority_that_is_here_may_sign_elsewhere_too() {
    let cluster = Cluster::generated();
    let elsewhere = Elsewhere::new();
    for name in ["ca.pem", "ca-key.pem"] {
        fs::copy(cluster.file(name), elsewhere.file(name)).unwrap();
    }
    assert_eq!(
        cluster.hardway(&["pki", "csr"]).out,
        "nothing to ask for: every authority's key is on this host\n"
    );
    let key = cluster.read("kube-scheduler-key.pem");
    let request = csr(&cluster, "kube-scheduler");
    let signed = elsewhere.sign(&request, "ca", 365);
    let told = accept(&cluster, "kube-scheduler", &signed);
    assert_eq!((told.code, &*told.err), (0, ""));
    insta::assert_snapshot!(undated(&told.out));
    assert_eq!(cluster.read("kube-scheduler-key.pem"), key);
    assert_eq!(cluster.hardway(&["pki", "verify"]).code, 0);
}

#[test]
fn what_needs_the_key_says_that_it_is_elsewhere() {
    let elsewhere = Elsewhere::new();
    let cluster = signed(&elsewhere);
    let mut told = String::new();
    for line in [
        "pki renew admin",
        "pki renew --all",
        "pki break-glass --minutes 5",
    ] {
        let run = cluster.hardway(&line.split(' ').collect::<Vec<_>>());
        assert_eq!((run.code, &*run.out), (1, ""), "{line}");
        told += &format!("# {line}\n{}\n", run.err);
    }
    let up = cluster.hardway(&["up"]);
    assert_eq!(up.code, 1);
    told += &format!("# up\n{}\n", up.err);
    insta::assert_snapshot!(told);
}
