//! Taking back what was signed elsewhere: only a certificate that is what was asked for, for
//! a key that is here, takes its place; and every kubeconfig that it is in is written again.

use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use rcgen::PublicKeyData;
use serde::Serialize;
use time::{Duration, OffsetDateTime};
use x509_parser::certificate::X509Certificate;

use super::asked::Asked;
use super::authority::Signer;
use super::elsewhere::{differences, margin};
use super::found::{certificate_pem, check_signature, check_validity, lifetime};
use super::identity::bootstrap_wanted;
use super::key::Key;
use super::kubeconfig;
use super::request::{BOOTSTRAP, kept_key, key_file, leaf_named, waiting_key};
use super::show::chain;
use super::store::Store;
use super::uses::{Readers, Use, files};
use common::file;
use common::report::WithHint;
use common::state::Paths;
use model::plan::{Authority, Plan};
use model::topology::Topology;

/// Whoever may do everything may do it for a day at most, also where the glass is broken.
const MASTERS_AT_MOST: Duration = Duration::days(1);

/// What was taken in.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Accepted {
    /// Its last day.
    pub until: String,
    /// Every file that was written, below .hardway/pki.
    pub files: Vec<String>,
    /// Who reads them, and has to start again to see them.
    pub used: Vec<Use>,
}

/// Takes the certificate `bytes`, which `path` held, for `name`.
pub fn accept(
    plan: &Plan,
    topology: &Topology,
    paths: &Paths,
    name: &str,
    path: &Path,
    bytes: &[u8],
) -> Result<Accepted> {
    let (wanted, authority) = if name == BOOTSTRAP {
        (bootstrap_wanted()?, Authority::Cluster)
    } else {
        let leaf = leaf_named(plan, name)?;
        let asked = Asked::read(plan, &paths.hosts().join("pki"))?;
        (asked.leaf(leaf)?.clone(), leaf.authority)
    };
    let (store, now) = (Store::of(paths), OffsetDateTime::now_utc());
    let signer = Signer::elsewhere(authority, &store, now)?;
    let cannot = || format!("cannot accept {} for {name}", path.display());
    let again = format!(
        "have {} sign it again, with the extensions of the request copied: hardway pki csr {name}",
        authority.stem()
    );
    let pem = certificate_pem(bytes).with_context(cannot).hint(format!(
        "give it the one certificate, as PEM: openssl x509 -in {} -out {name}.pem",
        path.display()
    ))?;
    let found = pem
        .parse_x509()
        .context("it is no certificate")
        .with_context(cannot)?;
    let key = key_of(&found, paths, name).map_err(|error| chain(&error));
    let mut wrong: Vec<String> = key.as_ref().err().cloned().into_iter().collect();
    wrong.extend(differences(&found, &wanted));
    wrong.extend(others(&found, &signer, name, now)?);
    let (waits, key) = match (key, &wrong[..]) {
        (Ok(key), []) => key,
        (_, [only]) => return Err(anyhow!("{only}")).with_context(cannot).hint(again),
        (_, several) => {
            let lines = several.join("\n  ");
            return Err(anyhow!(
                "{} things are wrong with it:\n  {lines}",
                several.len()
            ))
            .with_context(cannot)
            .hint(again);
        }
    };
    let text = std::str::from_utf8(bytes).with_context(cannot)?;
    let until = found.validity().not_after.to_datetime().date().to_string();
    if name == BOOTSTRAP {
        file::replace(&paths.bootstrap(), bytes, file::PRIVATE)?;
        return Ok(Accepted {
            until,
            files: Vec::new(),
            used: Vec::new(),
        });
    }
    let mut changed = files(plan, name);
    let key_name = format!("{name}-key.pem");
    // The key first: a run that is cut short here is finished by the same command.
    match waits {
        true => store.write(&key_name, key.pem().as_bytes())?,
        false => changed.retain(|file| *file != key_name),
    }
    store.write(&format!("{name}.pem"), bytes)?;
    for config in plan
        .kubeconfigs
        .iter()
        .filter(|one| one.certificate == name)
    {
        let text = kubeconfig::text(config, &signer.trusted_pem, text, &key.pem());
        store.update(&format!("{}.kubeconfig", config.name), text.as_bytes())?;
    }
    if name == "admin" && paths.kubeconfig().is_file() {
        kubeconfig::host_kubeconfig(topology, paths)?;
    }
    file::remove(&key_file(paths, name))?;
    file::remove(&paths.requests().join(format!("{name}.csr")))?;
    Ok(Accepted {
        until,
        used: Readers::of(plan).read(&changed),
        files: changed,
    })
}

/// The key that the certificate is for, and whether it still waits for it.
fn key_of(found: &X509Certificate<'_>, paths: &Paths, name: &str) -> Result<(bool, Key)> {
    let all = [
        (true, waiting_key(paths, name)?),
        (false, kept_key(paths, name)?),
    ];
    let public = found.public_key().raw;
    all.into_iter()
        .find_map(|(waits, key)| {
            let key = key.filter(|key| key.subject_public_key_info() == public)?;
            Some((waits, key))
        })
        .context("its key is not that of the request")
}

/// Who signed it, and for how long.
fn others(
    found: &X509Certificate<'_>,
    signer: &Signer,
    name: &str,
    now: OffsetDateTime,
) -> Result<Vec<String>> {
    let root = signer.certificate.parse_x509()?;
    let signature = check_signature(found, &root)
        .map_err(|error| anyhow!("{error}: {}, and not {}", found.issuer(), root.subject()));
    let short = || {
        check_validity(found, now, Duration::ZERO)?;
        match name == BOOTSTRAP {
            true => {
                let lifetime = lifetime(found);
                ensure!(
                    lifetime <= MASTERS_AT_MOST,
                    "it may do everything for {} hours, and a day is the most",
                    lifetime.whole_hours()
                );
                Ok(())
            }
            false => check_validity(found, now, margin(found)),
        }
    };
    let wrong = [signature, short()].into_iter().filter_map(Result::err);
    Ok(wrong.map(|error| chain(&error)).collect())
}
