//! Brings the PKI in the state folder up to date: what still matches is kept,
//! what does not is issued anew, and nothing is written that has not changed.

use std::collections::BTreeMap;

use anyhow::{Result, anyhow};
use rayon::prelude::*;
use time::OffsetDateTime;

use super::asked::Asked;
use super::authority::Signer;
use super::found::matching;
use super::issue::{Leaf, Wanted};
use super::store::Store;
use super::{elsewhere, encryption, kubeconfig, service_account, ssh};
use common::state::Paths;
use model::plan::{Authority, CertificateRequest, Kubeconfig, Plan, SIGNING};

/// What [`ensure`] did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// What was made or made anew, sorted: authorities, certificates and key
    /// pairs by the stem of their files, other files by their whole name.
    pub issued: Vec<String>,
    /// Why a certificate that was there before had to be issued anew, by its name.
    pub reasons: BTreeMap<String, String>,
    /// How many of the same were left as they are.
    pub kept: usize,
    /// What else a person should know: modes that were mended, authorities that are
    /// kept although their request was edited.
    pub notes: Vec<String>,
}

impl Summary {
    fn add(&mut self, name: &str, written: bool) {
        if written {
            self.issued.push(name.to_owned());
        } else {
            self.kept += 1;
        }
    }
}

/// Makes everything of the plan's PKI that is missing or no longer matches what is asked for.
pub fn ensure(plan: &Plan, asked: &Asked, paths: &Paths) -> Result<Summary> {
    let (store, mended) = Store::create(paths)?;
    let now = OffsetDateTime::now_utc();
    let mut summary = Summary {
        notes: mended,
        ..Summary::default()
    };

    let mut signers = BTreeMap::new();
    for authority in Authority::ALL {
        let wanted = asked.authority(authority);
        let (signer, made) = match plan.external.contains(&authority) {
            true => (Signer::elsewhere(authority, &store, now)?, false),
            false => Signer::ensure(authority, wanted, &store, now)?,
        };
        summary.add(authority.stem(), made);
        if signer.signs() {
            summary.notes.extend(signer.differs(authority, wanted));
        }
        signers.insert(authority, signer);
    }
    let cluster = &signers[&Authority::Cluster];
    if cluster.signs() {
        summary.add(SIGNING, store.update(SIGNING, &cluster.certificate_pem)?);
    }
    summary.add("service-account", service_account::ensure(&store)?);
    summary.add(encryption::FILE, encryption::ensure(&store)?);
    for (name, made) in ssh::ensure(plan, &store)? {
        summary.add(&name, made);
    }

    elsewhere::complete(plan, asked, &signers, &store, now)?;
    let leaves = plan
        .certificates
        .par_iter()
        .map(|request| {
            let (wanted, signer) = (asked.leaf(request)?, &signers[&request.authority]);
            Ok((request, ensure_leaf(request, wanted, signer, &store, now)?))
        })
        .collect::<Result<Vec<_>>>()?;
    let mut by_name = BTreeMap::new();
    for (request, (leaf, fate)) in leaves {
        summary.add(&request.name, fate != Fate::Kept);
        if let Fate::Reissued(reason) = fate {
            summary.reasons.insert(request.name.clone(), reason);
        }
        by_name.insert(request.name.as_str(), (request, leaf));
    }

    let written = plan
        .kubeconfigs
        .par_iter()
        .map(|kubeconfig| {
            let (request, leaf) = by_name
                .get(kubeconfig.certificate.as_str())
                .ok_or_else(|| anyhow!("{} has no certificate", file_of(kubeconfig)))?;
            let text = kubeconfig::text(
                kubeconfig,
                &signers[&request.authority].trusted_pem,
                &leaf.certificate_pem,
                &leaf.key_pem,
            );
            let name = file_of(kubeconfig);
            let written = store.update(&name, text.as_bytes())?;
            Ok((name, written))
        })
        .collect::<Result<Vec<_>>>()?;
    for (name, written) in written {
        summary.add(&name, written);
    }
    summary.issued.sort();
    Ok(summary)
}

/// Signs every leaf under authorities of the moment and keeps none of it: what making
/// them costs, without files. How many there were.
pub fn sign_in_memory(plan: &Plan, asked: &Asked) -> Result<usize> {
    let now = OffsetDateTime::now_utc();
    let signers = Authority::ALL
        .into_iter()
        .map(|authority| Ok((authority, Signer::new(asked.authority(authority), now)?)))
        .collect::<Result<BTreeMap<_, _>>>()?;
    let signed = plan.certificates.par_iter().map(|leaf| {
        let issuer = signers[&leaf.authority].issuer()?;
        asked.leaf(leaf)?.issue(issuer, now)
    });
    Ok(signed.collect::<Result<Vec<_>>>()?.len())
}

fn file_of(kubeconfig: &Kubeconfig) -> String {
    format!("{}.kubeconfig", kubeconfig.name)
}

#[derive(PartialEq, Eq)]
enum Fate {
    Kept,
    Issued,
    /// With the reason.
    Reissued(String),
}

fn ensure_leaf(
    request: &CertificateRequest,
    wanted: &Wanted,
    signer: &Signer,
    store: &Store,
    now: OffsetDateTime,
) -> Result<(Leaf, Fate)> {
    let certificate = format!("{}.pem", request.name);
    let key = format!("{}-key.pem", request.name);
    let fate = match (store.read(&certificate)?, store.read(&key)?) {
        (Some(certificate), Some(key)) => match matching(&certificate, &key, wanted, signer, now) {
            Ok(leaf) => return Ok((leaf, Fate::Kept)),
            Err(reason) => Fate::Reissued(format!("{reason:#}")),
        },
        (Some(_), None) => Fate::Reissued("its key is missing".to_owned()),
        (None, Some(_)) => Fate::Reissued("its certificate is missing".to_owned()),
        (None, None) => Fate::Issued,
    };
    let leaf = wanted.issue(signer.issuer()?, now)?;
    store.write(&key, leaf.key_pem.as_bytes())?;
    store.write(&certificate, &leaf.certificate_pem)?;
    Ok((leaf, fate))
}
