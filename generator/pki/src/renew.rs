//! Issuing leaves anew before their time: after a leak, on a calendar, or because they
//! have expired. An authority is nobody's to renew: all who trust it would have to know.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, anyhow};
use rayon::prelude::*;
use serde::Serialize;
use time::OffsetDateTime;

use super::asked::Asked;
use super::authority::Signer;
use super::elsewhere;
use super::found::certificate_pem;
use super::issue::{Leaf, Wanted};
use super::key::Key;
use super::kubeconfig;
use super::show::{chain, unknown};
use super::store::Store;
use super::uses::{Readers, Use, files};
use common::report::Hint;
use common::state::Paths;
use model::plan::{Authority, CertificateRequest, Plan};
use model::topology::Topology;

/// What is to be renewed.
#[derive(Debug)]
pub struct Wish<'a> {
    /// None: every leaf.
    pub names: Option<&'a [String]>,
    /// Even where the old key is as it should be.
    pub new_key: bool,
    /// Nothing is written.
    pub dry_run: bool,
}

/// One leaf that was, or would be, issued anew.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Renewal {
    pub name: String,
    /// The old certificate's last day; None where it could not be read.
    pub was_until: Option<String>,
    pub until: String,
    /// Why there is a new key; None where the old one is kept.
    pub new_key: Option<String>,
    /// Every file that changes, below .hardway/pki.
    pub files: Vec<String>,
    /// Who reads them, and has to start again to see them.
    pub used: Vec<Use>,
}

/// Issues anew what is wished for, and rewrites the kubeconfigs that it is in.
pub fn renew(
    plan: &Plan,
    topology: &Topology,
    paths: &Paths,
    wish: &Wish<'_>,
) -> Result<Vec<Renewal>> {
    let leaves = chosen(plan, wish.names)?;
    elsewhere::refuse(plan, &leaves)?;
    let asked = Asked::read(plan, &paths.hosts().join("pki"))?;
    let (store, now) = (Store::of(paths), OffsetDateTime::now_utc());
    let readers = Readers::of(plan);
    let authorities: BTreeSet<Authority> = leaves.iter().map(|leaf| leaf.authority).collect();
    let signers = authorities
        .into_iter()
        .map(|authority| Ok((authority, Signer::read(authority, &store, now)?)))
        .collect::<Result<BTreeMap<_, _>>>()?;
    let renewed = leaves
        .into_par_iter()
        .map(|leaf| {
            let (wanted, signer) = (asked.leaf(leaf)?, &signers[&leaf.authority]);
            let key_file = format!("{}-key.pem", leaf.name);
            let (key, new_key) = key(&store, &key_file, wanted, wish.new_key)?;
            let issued = Leaf {
                certificate_pem: wanted.sign(&key, signer.issuer()?, now)?,
                key_pem: key.pem(),
            };
            let certificate_file = format!("{}.pem", leaf.name);
            let mut changed = files(plan, &leaf.name);
            if new_key.is_none() {
                changed.retain(|file| *file != key_file);
            }
            let renewal = Renewal {
                name: leaf.name.clone(),
                was_until: store
                    .read(&certificate_file)?
                    .and_then(|bytes| until(&bytes).ok()),
                until: until(issued.certificate_pem.as_bytes())?,
                used: readers.read(&changed),
                new_key,
                files: changed,
            };
            if wish.dry_run {
                return Ok(renewal);
            }
            // The key first: a run that is cut short here is finished by `generate`.
            if renewal.new_key.is_some() {
                store.write(&key_file, issued.key_pem.as_bytes())?;
            }
            store.write(&certificate_file, &issued.certificate_pem)?;
            for config in &plan.kubeconfigs {
                if config.certificate == leaf.name {
                    let text = kubeconfig::text(
                        config,
                        &signer.trusted_pem,
                        &issued.certificate_pem,
                        &issued.key_pem,
                    );
                    store.update(&format!("{}.kubeconfig", config.name), text.as_bytes())?;
                }
            }
            Ok(renewal)
        })
        .collect::<Result<Vec<_>>>()?;
    let admin = renewed.iter().any(|one| one.name == "admin");
    if admin && !wish.dry_run && paths.kubeconfig().is_file() {
        kubeconfig::host_kubeconfig(topology, paths)?;
    }
    Ok(renewed)
}

fn chosen<'a>(plan: &'a Plan, names: Option<&[String]>) -> Result<Vec<&'a CertificateRequest>> {
    let Some(names) = names else {
        return Ok(plan.certificates.iter().collect());
    };
    let names: BTreeSet<&String> = names.iter().collect();
    names
        .into_iter()
        .map(|name| {
            if Authority::ALL.iter().any(|one| one.stem() == name) {
                let error = anyhow!("{name} is an authority, and renew issues leaves");
                return Err(error.context(Hint(format!(
                    "to replace it and all that it signed: hardway pki rotate-ca {name}"
                ))));
            }
            let known = || plan.certificates.iter().map(|leaf| leaf.name.clone());
            let found = plan.certificates.iter().find(|leaf| leaf.name == *name);
            found.ok_or_else(|| unknown(name, &known().collect::<Vec<_>>()))
        })
        .collect()
}

/// The old key, or a new one and the reason for it.
fn key(store: &Store, file: &str, wanted: &Wanted, new: bool) -> Result<(Key, Option<String>)> {
    let generated = |reason: String| -> Result<(Key, Option<String>)> {
        Ok((Key::generate(wanted.algorithm)?, Some(reason)))
    };
    if new {
        return generated("asked for".to_owned());
    }
    let Some(pem) = store.read(file)? else {
        return generated("there was none".to_owned());
    };
    match Key::from_pem(&pem) {
        Ok(key) if key.algorithm_of() == Some(wanted.algorithm) => Ok((key, None)),
        Ok(_) => generated(format!("{} is asked for", wanted.algorithm)),
        Err(error) => generated(format!("the old one is unusable: {}", chain(&error))),
    }
}

fn until(bytes: &[u8]) -> Result<String> {
    let pem = certificate_pem(bytes)?;
    let found = pem.parse_x509().context("its certificate is unusable")?;
    let until = found.validity().not_after.to_datetime();
    Ok(until.date().to_string())
}
