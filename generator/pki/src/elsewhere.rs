//! Authorities whose keys are elsewhere: what they have signed is judged by what it may do,
//! since how long it lives is theirs to say; what they have still to sign is one error.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, anyhow, ensure};
use rcgen::KeyUsagePurpose;
use time::{Duration, OffsetDateTime};
use x509_parser::certificate::X509Certificate;

use super::asked::Asked;
use super::authority::Signer;
use super::cfssl::Usages;
use super::found::{RENEW_BEFORE, check_validity, lifetime, matching, names};
use super::issue::Wanted;
use super::san::San;
use super::show::chain;
use super::store::Store;
use super::subject::Subject;
use common::report::{Hint, WithHint};
use model::plan::{Authority, CertificateRequest, Plan};

/// What a key does in TLS, whichever side it is on.
const HARMLESS: [&str; 2] = ["digital signature", "key encipherment"];

/// A leaf that is to be signed elsewhere, and why what is there does not do.
pub(super) struct Outstanding<'a> {
    pub(super) leaf: &'a CertificateRequest,
    reason: String,
}

/// All of them, in the order of their names.
pub(super) fn outstanding<'a>(
    plan: &'a Plan,
    asked: &Asked,
    signers: &BTreeMap<Authority, Signer>,
    store: &Store,
    now: OffsetDateTime,
) -> Result<Vec<Outstanding<'a>>> {
    let mut all = Vec::new();
    for leaf in &plan.certificates {
        let elsewhere = |signer: &&Signer| !signer.signs();
        let Some(signer) = signers.get(&leaf.authority).filter(elsewhere) else {
            continue;
        };
        let certificate = store.read(&format!("{}.pem", leaf.name))?;
        let key = store.read(&format!("{}-key.pem", leaf.name))?;
        let judged = match (&certificate, &key) {
            (None, _) => Err(anyhow!("there is none")),
            (_, None) => Err(anyhow!("its key is missing")),
            (Some(certificate), Some(key)) => {
                matching(certificate, key, asked.leaf(leaf)?, signer, now).map(|_| ())
            }
        };
        if let Err(reason) = judged {
            let reason = chain(&reason);
            all.push(Outstanding { leaf, reason });
        }
    }
    Ok(all)
}

/// Fails where anything is to be signed elsewhere, and lists all of it.
pub(super) fn complete(
    plan: &Plan,
    asked: &Asked,
    signers: &BTreeMap<Authority, Signer>,
    store: &Store,
    now: OffsetDateTime,
) -> Result<()> {
    let all = outstanding(plan, asked, signers, store, now)?;
    if all.is_empty() {
        return Ok(());
    }
    let count = match all.len() {
        1 => "1 certificate is".to_owned(),
        several => format!("{several} certificates are"),
    };
    let lines: String = all
        .iter()
        .map(|one| {
            let authority = one.leaf.authority.stem();
            format!("\n  {} by {authority}: {}", one.leaf.name, one.reason)
        })
        .collect();
    Err(anyhow!(
        "{count} to be signed where the authorities' keys are:{lines}"
    ))
    .hint(
        "write the requests: hardway pki csr; for each, once it is signed: hardway pki accept \
         NAME FILE; then go on: hardway generate",
    )
}

/// Fails where one of the leaves can't be signed here.
pub(super) fn refuse(plan: &Plan, leaves: &[&CertificateRequest]) -> Result<()> {
    let external: Vec<&CertificateRequest> = leaves
        .iter()
        .copied()
        .filter(|leaf| plan.external.contains(&leaf.authority))
        .collect();
    let Some(first) = external.first() else {
        return Ok(());
    };
    let names: Vec<&str> = external.iter().map(|leaf| leaf.name.as_str()).collect();
    let authorities: BTreeSet<Authority> = external.iter().map(|leaf| leaf.authority).collect();
    let stems: Vec<&str> = authorities.into_iter().map(Authority::stem).collect();
    let error = anyhow!(
        "cannot sign {}: cluster.json says that this key is elsewhere: {}",
        names.join(", "),
        stems.join(", ")
    );
    Err(error.context(Hint(format!(
        "write a request, and have it signed there: hardway pki csr {}; hardway pki accept {0} FILE",
        first.name
    ))))
}

/// Whether a certificate that was signed elsewhere is what is asked for, and lives on.
pub(super) fn check_foreign(
    found: &X509Certificate<'_>,
    wanted: &Wanted,
    now: OffsetDateTime,
) -> Result<()> {
    if let Some(first) = differences(found, wanted).into_iter().next() {
        return Err(anyhow!(first));
    }
    check_validity(found, now, margin(found))
}

/// How long before its end a certificate counts as too old to be kept.
pub(super) fn margin(found: &X509Certificate<'_>) -> Duration {
    RENEW_BEFORE.min(lifetime(found) / 3)
}

/// Everything in which a certificate says, or may do, another thing than what is asked for.
pub(super) fn differences(found: &X509Certificate<'_>, wanted: &Wanted) -> Vec<String> {
    let looks: [&dyn Fn() -> Result<()>; 4] = [
        &|| check_subject(found, wanted),
        &|| check_names(found, wanted),
        &|| check_usages(found, wanted),
        &|| {
            ensure!(!found.is_ca(), "it is an authority's");
            Ok(())
        },
    ];
    looks
        .iter()
        .filter_map(|look| Some(chain(&look().err()?)))
        .collect()
}

fn check_subject(found: &X509Certificate<'_>, wanted: &Wanted) -> Result<()> {
    ensure!(
        Subject::of(found.subject()).as_ref() == Some(&wanted.subject),
        "its subject is {}, and {} is asked for",
        found.subject(),
        wanted.subject
    );
    Ok(())
}

fn check_names(found: &X509Certificate<'_>, wanted: &Wanted) -> Result<()> {
    let found = names(found)?.context("it has a name of a kind that is never asked for")?;
    let (found, wanted): (BTreeSet<&San>, _) = (found.iter().collect(), wanted.sorted_names());
    let listed = |names: Vec<&&San>| {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        names.join(", ")
    };
    let missing: Vec<&&San> = wanted.difference(&found).collect();
    let strange: Vec<&&San> = found.difference(&wanted).collect();
    let mut wrong = Vec::new();
    if !missing.is_empty() {
        wrong.push(format!("it does not name {}", listed(missing)));
    }
    if !strange.is_empty() {
        wrong.push(format!(
            "it names {}, for which nothing asks",
            listed(strange)
        ));
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("; "));
    Ok(())
}

fn check_usages(found: &X509Certificate<'_>, wanted: &Wanted) -> Result<()> {
    let usages = Usages::of(found)?.context("it has a usage for which there is no word")?;
    let purposes = |usages: &Usages| -> Vec<&str> {
        let mut words = usages.words();
        words.retain(|word| !HARMLESS.contains(word));
        words
    };
    let (has, asked) = (purposes(&usages), purposes(&wanted.usages));
    ensure!(
        !has.is_empty() || asked.is_empty(),
        "it says no usage, which is every one, and {} is asked for",
        asked.join(", ")
    );
    ensure!(
        has == asked,
        "its usages are {}, and {} are asked for",
        has.join(", "),
        asked.join(", ")
    );
    let basic = usages.basic();
    ensure!(
        basic.is_empty() || basic.contains(&KeyUsagePurpose::DigitalSignature),
        "its key may not sign, which TLS needs: it lacks the usage digital signature"
    );
    Ok(())
}
