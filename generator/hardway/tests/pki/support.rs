//! A cluster in a temporary folder, and certificates as parsed fields.

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::state::Paths;
use model::plan::{Plan, plan};
use model::topology::{self, Sources, Topology};
use pki::{self, Asked, Summary};
use serde::Serialize;
use serde_json::{Value, json};
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::pem::parse_x509_pem;

/// What is written down where a test runs the program itself.
pub(crate) const DEFAULT: &str = r#"{
  "cni": "bridge",
  "nodes": {
    "alpha": { "role": "control-plane", "address": "10.240.0.10" },
    "gamma": { "role": "worker", "address": "10.240.0.22" },
    "sigma": { "role": "worker", "address": "10.240.0.21" }
  }
}
"#;

/// How a run of the program ended, and what it said.
pub(crate) struct Told {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

pub(crate) struct Cluster {
    pub(crate) topology: Topology,
    pub(crate) plan: Plan,
    pub(crate) paths: Paths,
    pub(crate) folder: tempfile::TempDir,
}

impl Cluster {
    /// The default cluster with the bridge plugin: it has kube-proxy's certificate too.
    pub(crate) fn new() -> Self {
        let mut json: Value = serde_json::from_str(topology::default_json()).unwrap();
        json["cni"] = json!("bridge");
        Self::with(&json)
    }

    pub(crate) fn with(json: &Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let topology = topology::parse(&Sources {
            dir: folder.path(),
            json: &json.to_string(),
            json_name: "cluster.json",
            env: "",
            env_name: "cluster.env",
            environment: &BTreeMap::new(),
        })
        .unwrap_or_else(|problems| panic!("{problems}"));
        Self {
            plan: plan(&topology),
            topology,
            paths: Paths::new(folder.path()),
            folder,
        }
    }

    /// From the requests as they are generated.
    fn try_ensure(&self) -> anyhow::Result<Summary> {
        let asked = Asked::parse(&self.plan, &pki::requests(&self.plan))?;
        pki::ensure(&self.plan, &asked, &self.paths)
    }

    pub(crate) fn ensure(&self) -> Summary {
        self.try_ensure()
            .unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// One that `hardway generate` has been through: hosts/ is written too.
    pub(crate) fn generated() -> Self {
        let cluster = Self::new();
        fs::write(cluster.paths.cluster_json(), DEFAULT).unwrap();
        assert_eq!(cluster.hardway(&["generate"]).code, 0);
        cluster
    }

    /// One whose authorities' keys are elsewhere; nothing is generated.
    pub(crate) fn external(authorities: &[&str]) -> Self {
        let mut json: Value = serde_json::from_str(DEFAULT).unwrap();
        json["externalAuthorities"] = json!(authorities);
        Self::written(&json)
    }

    /// One that has this cluster.json, and nothing else.
    pub(crate) fn written(json: &Value) -> Self {
        let cluster = Self::with(json);
        fs::write(cluster.paths.cluster_json(), json.to_string()).unwrap();
        cluster
    }

    /// `hardway …` in the cluster's folder.
    pub(crate) fn hardway(&self, arguments: &[&str]) -> Told {
        let output = assert_cmd::Command::cargo_bin("hardway")
            .unwrap()
            .env_clear()
            // However little memory this host has free.
            .env("HARDWAY_MEMORY", "100000")
            .arg("--dir")
            .arg(self.folder.path())
            .args(arguments)
            .output()
            .unwrap();
        Told {
            code: output.status.code().unwrap(),
            out: self.hide(&String::from_utf8(output.stdout).unwrap()),
            err: self.hide(&String::from_utf8(output.stderr).unwrap()),
        }
    }

    /// Changes a request or the profiles, as a person would.
    pub(crate) fn edit(&self, name: &str, change: impl FnOnce(&mut Value)) {
        let path = self.paths.hosts().join("pki").join(name);
        let mut value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        change(&mut value);
        fs::write(path, format!("{value:#}\n")).unwrap();
    }

    /// What a person reads when it fails.
    pub(crate) fn failure(&self) -> String {
        self.hide(&common::report::render(&self.try_ensure().unwrap_err()))
    }

    /// `text` with this cluster's folder as DIR.
    pub(crate) fn hide(&self, text: &str) -> String {
        text.replace(&self.folder.path().display().to_string(), "DIR")
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.paths.pki().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap()
    }

    /// Every file of the PKI: name → bytes.
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        fs::read_dir(self.paths.pki())
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let name = entry.file_name().into_string().unwrap();
                (name, fs::read(entry.path()).unwrap())
            })
            .collect()
    }
}

/// What a certificate says; never its key, serial number or dates.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Fields {
    pub(crate) subject: Vec<String>,
    pub(crate) issuer: String,
    pub(crate) names: Vec<String>,
    pub(crate) key_usage: String,
    pub(crate) extended_key_usage: Vec<&'static str>,
    pub(crate) authority: String,
    pub(crate) key: String,
    pub(crate) hours: i64,
}

/// The extensions of a certificate that must be there for verifiers, by OID.
pub(crate) fn extensions(pem: &str) -> Vec<String> {
    let (_, pem) = parse_x509_pem(pem.as_bytes()).unwrap();
    let certificate = pem.parse_x509().unwrap();
    let mut oids: Vec<String> = certificate
        .extensions()
        .iter()
        .map(|extension| {
            let critical = if extension.critical { " critical" } else { "" };
            format!("{}{critical}", extension.oid)
        })
        .collect();
    oids.sort();
    oids
}

pub(crate) fn serial(pem: &str) -> Vec<u8> {
    let (_, pem) = parse_x509_pem(pem.as_bytes()).unwrap();
    pem.parse_x509().unwrap().raw_serial().to_vec()
}

pub(crate) fn fields(pem: &str) -> Fields {
    let (_, pem) = parse_x509_pem(pem.as_bytes()).unwrap();
    let certificate = pem.parse_x509().unwrap();
    let mut fields = Fields {
        subject: certificate
            .subject()
            .to_string()
            .split(", ")
            .map(ToOwned::to_owned)
            .collect(),
        issuer: certificate.issuer().to_string(),
        names: Vec::new(),
        key_usage: String::new(),
        extended_key_usage: Vec::new(),
        authority: String::new(),
        key: format!(
            "{} {}",
            certificate.public_key().algorithm.algorithm,
            certificate.public_key().parsed().unwrap().key_size()
        ),
        hours: (certificate.validity().not_after.timestamp()
            - certificate.validity().not_before.timestamp())
            / 3600,
    };
    for extension in certificate.extensions() {
        match extension.parsed_extension() {
            ParsedExtension::SubjectAlternativeName(names) => {
                fields.names = names.general_names.iter().map(name).collect();
                fields.names.sort();
            }
            ParsedExtension::KeyUsage(usage) => fields.key_usage = usage.to_string(),
            ParsedExtension::ExtendedKeyUsage(usage) => {
                assert!(!usage.any && usage.other.is_empty());
                for (on, word) in [(usage.server_auth, "server"), (usage.client_auth, "client")] {
                    if on {
                        fields.extended_key_usage.push(word);
                    }
                }
            }
            ParsedExtension::BasicConstraints(basic) => {
                fields.authority = format!("{} {:?}", basic.ca, basic.path_len_constraint);
            }
            _ => {}
        }
    }
    fields
}

fn name(name: &GeneralName<'_>) -> String {
    match name {
        GeneralName::DNSName(name) => format!("DNS {name}"),
        GeneralName::RFC822Name(name) => format!("email {name}"),
        GeneralName::URI(name) => format!("URI {name}"),
        GeneralName::IPAddress(bytes) if bytes.len() == 16 => {
            let bytes: [u8; 16] = (*bytes).try_into().unwrap();
            format!("IP {}", IpAddr::from(bytes))
        }
        GeneralName::IPAddress(bytes) => {
            let bytes: [u8; 4] = (*bytes).try_into().unwrap();
            format!("IP {}", IpAddr::from(bytes))
        }
        other => panic!("{other:?} is neither a DNS name nor an address"),
    }
}

/// Runs a program that must succeed; its output, both streams.
pub(crate) fn run(program: &str, folder: &Path, args: &[&str]) -> String {
    let output = command(program, folder, args);
    let text =
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{program} {args:?}: {text}");
    text
}

/// Runs a program that these tests need.
pub(crate) fn command(program: &str, folder: &Path, args: &[&str]) -> std::process::Output {
    Command::new(program)
        .args(args)
        .current_dir(folder)
        .output()
        .unwrap_or_else(|error| {
            panic!("cannot run {program}: {error}; install it (Debian: openssl, golang-cfssl)")
        })
}
