//! The PKI written down as cfssl reads it: one request a certificate, and the
//! signing profiles. These files are what is signed from, by cfssl and here.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::algorithm::Algorithm;
use super::cfssl::{self, Config, Name, Profile, Request};
use super::{AUTHORITY_EXPIRY, BACKDATE, LEAF_LIFETIME};
use model::plan::{Authority, Plan, Usage};

/// The signing profiles' file.
pub(super) const CONFIG: &str = "ca-config.json";

/// Where all files are as they were last generated, so that an edit is told from what
/// is only out of date.
pub(super) const GENERATED: &str = "generated.json";

pub(super) fn file_of(name: &str) -> String {
    format!("{name}-csr.json")
}

/// Everything below hosts/pki, before anybody edits it: file name → JSON. Public, pure
/// and deterministic.
pub fn requests(plan: &Plan) -> BTreeMap<String, String> {
    let key = || Some(Algorithm::DEFAULT.request());
    let authorities = Authority::ALL.into_iter().map(|authority| {
        let request = Request {
            common_name: authority.common_name().to_owned(),
            hosts: None,
            key: key(),
            names: None,
            ca: Some(cfssl::Authority {
                expiry: Some(AUTHORITY_EXPIRY.to_owned()),
                backdate: None,
                pathlen: 0,
                pathlenzero: true,
            }),
            serial_number: None,
        };
        (authority.stem(), request)
    });
    let leaves = plan.certificates.iter().map(|leaf| {
        let request = Request {
            common_name: leaf.common_name.clone(),
            hosts: Some(leaf.hosts.clone()),
            key: key(),
            names: leaf.organization.as_ref().map(|organization| {
                vec![Name {
                    organization: Some(organization.clone()),
                    ..Name::default()
                }]
            }),
            ca: None,
            serial_number: None,
        };
        (leaf.name.as_str(), request)
    });
    let mut files: BTreeMap<String, Value> = authorities
        .chain(leaves)
        .map(|(name, request)| (file_of(name), json!(request)))
        .collect();
    files.insert(CONFIG.to_owned(), json!(profiles()));
    let generated = pretty(&files);
    let mut texts: BTreeMap<String, String> = files
        .iter()
        .map(|(name, value)| (name.clone(), pretty(value)))
        .collect();
    texts.insert(GENERATED.to_owned(), generated);
    texts
}

/// The profile that a certificate is signed under.
pub(super) fn profile_of(usage: Usage) -> &'static str {
    match usage {
        Usage::Client => "client",
        Usage::Peer => "peer",
        Usage::Server => "server",
    }
}

/// One profile a usage, and `kubernetes` for whoever signs by hand as the tutorials do.
fn profiles() -> Config {
    let profile = |purposes: &[&str]| {
        let words = ["digital signature"].iter().chain(purposes);
        Profile {
            // Key encipherment is for RSA key exchange, which neither ECDSA nor TLS 1.3 has.
            usages: words.map(|word| (*word).to_owned()).collect(),
            ..lifetime()
        }
    };
    let profiles = [
        (profile_of(Usage::Client), profile(&["client auth"])),
        ("kubernetes", profile(&["server auth", "client auth"])),
        (
            profile_of(Usage::Peer),
            profile(&["server auth", "client auth"]),
        ),
        (profile_of(Usage::Server), profile(&["server auth"])),
    ];
    let profiles = profiles
        .into_iter()
        .map(|(name, profile)| (name.to_owned(), profile));
    Config::new(lifetime(), profiles.collect())
}

fn lifetime() -> Profile {
    Profile {
        backdate: Some(cfssl::hours(BACKDATE)),
        expiry: Some(cfssl::hours(LEAF_LIFETIME)),
        ..Profile::default()
    }
}

pub(super) fn pretty(value: &impl Serialize) -> String {
    format!("{:#}\n", json!(value))
}
