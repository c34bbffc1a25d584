//! The PKI written down as cfssl reads it: one request a certificate, and the
//! signing profiles. With the authorities' files, cfssl signs the same certificates.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};
use time::Duration;

use super::{AUTHORITY_LIFETIME, BACKDATE, LEAF_LIFETIME};
use crate::plan::{Authority, Plan, Usage};

/// `<name>-csr.json` (cfssl, csr/csr.go: CertificateRequest).
#[derive(Serialize)]
struct Request<'a> {
    #[serde(rename = "CN")]
    common_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hosts: Option<&'a [String]>,
    key: KeyRequest,
    #[serde(skip_serializing_if = "Option::is_none")]
    names: Option<[Name<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ca: Option<CaConfig>,
}

#[derive(Serialize)]
struct KeyRequest {
    algo: &'static str,
    /// In bits.
    size: u32,
}

/// What [`super::key::Key::generate`] makes.
const KEY: KeyRequest = KeyRequest {
    algo: "ecdsa",
    size: 256,
};

#[derive(Serialize)]
struct Name<'a> {
    #[serde(rename = "O")]
    organization: &'a str,
}

#[derive(Serialize)]
struct CaConfig {
    expiry: String,
    /// cfssl takes a length of 0 for "none given" unless the next field says otherwise.
    pathlen: u8,
    pathlenzero: bool,
}

/// Everything below hosts/pki: file name → JSON. Public, pure and deterministic.
pub fn requests(plan: &Plan) -> BTreeMap<String, String> {
    let authorities = Authority::ALL.into_iter().map(|authority| {
        let request = Request {
            common_name: authority.common_name(),
            hosts: None,
            key: KEY,
            names: None,
            ca: Some(CaConfig {
                expiry: hours(AUTHORITY_LIFETIME),
                pathlen: 0,
                pathlenzero: true,
            }),
        };
        (authority.stem(), request)
    });
    let leaves = plan.certificates.iter().map(|leaf| {
        let request = Request {
            common_name: &leaf.common_name,
            hosts: Some(&leaf.hosts),
            key: KEY,
            names: leaf
                .organization
                .as_deref()
                .map(|organization| [Name { organization }]),
            ca: None,
        };
        (leaf.name.as_str(), request)
    });
    let mut files: BTreeMap<String, String> = authorities
        .chain(leaves)
        .map(|(name, request)| (format!("{name}-csr.json"), pretty(&json!(request))))
        .collect();
    files.insert("ca-config.json".to_owned(), pretty(&profiles()));
    files
}

/// The signing profiles, one a usage (cfssl, config/config.go: SigningProfile).
fn profiles() -> Value {
    let profile = |usage: Usage| {
        let mut usages = vec!["digital signature"];
        if matches!(usage, Usage::Server | Usage::Peer) {
            usages.push("server auth");
        }
        if matches!(usage, Usage::Client | Usage::Peer) {
            usages.push("client auth");
        }
        json!({ "backdate": hours(BACKDATE), "expiry": hours(LEAF_LIFETIME), "usages": usages })
    };
    json!({
        "signing": {
            "default": { "backdate": hours(BACKDATE), "expiry": hours(LEAF_LIFETIME) },
            "profiles": {
                "client": profile(Usage::Client),
                "peer": profile(Usage::Peer),
                "server": profile(Usage::Server),
            },
        },
    })
}

fn hours(duration: Duration) -> String {
    format!("{}h", duration.whole_hours())
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}
