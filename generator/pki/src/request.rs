//! Asking an authority whose key is elsewhere: PKCS#10 requests, from the same files as
//! everything that is signed here. A new key waits beside the request until the certificate
//! for it has come back.

use std::collections::BTreeMap;

use anyhow::{Context, Result, anyhow};
use serde::Serialize;
use time::OffsetDateTime;

use super::asked::Asked;
use super::authority::Signer;
use super::elsewhere;
use super::identity::bootstrap_wanted;
use super::issue::Wanted;
use super::key::Key;
use super::show::unknown;
use super::store::Store;
use common::exposure;
use common::file;
use common::report::WithHint;
use common::state::{Paths, private_folder};
use model::plan::{Authority, CertificateRequest, Plan};

/// The name of the one that is no leaf: who binds the first roles, once.
pub const BOOTSTRAP: &str = "bootstrap";

/// A request to be signed elsewhere.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    pub name: String,
    /// Who is to sign it.
    pub authority: Authority,
    /// PKCS#10.
    pub pem: String,
    /// Whether the key is new, and waits for its certificate.
    pub waits: bool,
}

/// Requests for these names; without any, for all that cannot be signed here.
pub fn request(plan: &Plan, paths: &Paths, names: &[String]) -> Result<Vec<Request>> {
    let asked = Asked::read(plan, &paths.hosts().join("pki"))?;
    let leaves = match names {
        [] => outstanding(plan, &asked, paths)?,
        names => {
            let mut leaves = Vec::new();
            for name in names {
                if name == BOOTSTRAP {
                    continue;
                }
                leaves.push(leaf_named(plan, name)?);
            }
            leaves
        }
    };
    let mut requests = leaves
        .into_iter()
        .map(|leaf| one(paths, &leaf.name, leaf.authority, asked.leaf(leaf)?))
        .collect::<Result<Vec<_>>>()?;
    if names.iter().any(|name| name == BOOTSTRAP) {
        let wanted = bootstrap_wanted()?;
        requests.push(one(paths, BOOTSTRAP, Authority::Cluster, &wanted)?);
    }
    Ok(requests)
}

pub(super) fn leaf_named<'a>(plan: &'a Plan, name: &str) -> Result<&'a CertificateRequest> {
    if Authority::ALL.iter().any(|one| one.stem() == name) {
        return Err(anyhow!("{name} is an authority, which nobody else signs"))
            .hint("take one over, or its certificate alone: hardway pki import DIR");
    }
    let found = plan.certificates.iter().find(|leaf| leaf.name == name);
    found.ok_or_else(|| {
        let known: Vec<String> = plan
            .certificates
            .iter()
            .map(|leaf| leaf.name.clone())
            .collect();
        unknown(name, &known)
    })
}

fn outstanding<'a>(
    plan: &'a Plan,
    asked: &Asked,
    paths: &Paths,
) -> Result<Vec<&'a CertificateRequest>> {
    let (store, now) = (Store::of(paths), OffsetDateTime::now_utc());
    let signers = plan
        .external
        .iter()
        .map(|authority| Ok((*authority, Signer::elsewhere(*authority, &store, now)?)))
        .collect::<Result<BTreeMap<_, _>>>()?;
    let all = elsewhere::outstanding(plan, asked, &signers, &store, now)?;
    Ok(all.into_iter().map(|one| one.leaf).collect())
}

fn one(paths: &Paths, name: &str, authority: Authority, wanted: &Wanted) -> Result<Request> {
    let (waiting, kept) = (waiting_key(paths, name)?, kept_key(paths, name)?);
    let waits = waiting.is_some();
    let suits = |key: &Key| key.algorithm_of() == Some(wanted.algorithm);
    let (key, waits) = match (waiting.filter(suits), kept.filter(suits)) {
        (Some(key), _) => (key, waits),
        (None, Some(key)) => (key, false),
        (None, None) => {
            let key = Key::generate(wanted.algorithm)?;
            exposure::refuse(&paths.state())?;
            paths.create_state()?;
            private_folder(&paths.requests())?;
            file::replace(&key_file(paths, name), key.pem().as_bytes(), file::PRIVATE)?;
            (key, true)
        }
    };
    let pem = wanted
        .full_request(&key)
        .with_context(|| format!("cannot ask for the certificate {name}"))?;
    Ok(Request {
        name: name.to_owned(),
        authority,
        pem,
        waits,
    })
}

pub(super) fn key_file(paths: &Paths, name: &str) -> std::path::PathBuf {
    paths.requests().join(format!("{name}-key.pem"))
}

/// The key that waits for its certificate; a broken one is none.
pub(super) fn waiting_key(paths: &Paths, name: &str) -> Result<Option<Key>> {
    let read = super::read::read_file(&key_file(paths, name))?;
    Ok(read.and_then(|pem| Key::from_pem(&pem).ok()))
}

/// The key of the certificate that is there; a broken one is none.
pub(super) fn kept_key(paths: &Paths, name: &str) -> Result<Option<Key>> {
    let read = Store::of(paths).read(&format!("{name}-key.pem"))?;
    Ok(read.and_then(|pem| Key::from_pem(&pem).ok()))
}
