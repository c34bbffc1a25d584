//! Whether an authority can go on signing here, or at least be trusted.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use rcgen::KeyUsagePurpose;
use time::{Duration, OffsetDateTime};

use super::layout::Pair;
use crate::algorithm::Algorithm;
use crate::authority::Signer;
use crate::cfssl::Usages;
use crate::found::{RENEW_BEFORE, certificate_pem, check_signature};
use crate::issue::Wanted;
use crate::key::Key;
use crate::show::chain;
use crate::store::Bytes;
use crate::subject::Subject;
use model::plan::Authority;

/// All that is wrong, a paragraph each.
#[derive(Debug, Default)]
pub(super) struct Problems {
    pub(super) lines: Vec<String>,
}

impl Problems {
    pub(super) fn add(&mut self, file: &str, reason: impl AsRef<str>, hint: Option<String>) {
        let hint = hint.map_or_else(String::new, |hint| format!("\n    hint: {hint}"));
        let reason = reason.as_ref();
        self.lines.push(format!("\n  {file}: {reason}{hint}"));
    }

    /// A private key, or None where there is none or it is a problem.
    pub(super) fn key(&mut self, folder: &Path, name: &str) -> Option<Key> {
        let pem = self.key_bytes(folder, name)?;
        match Key::from_pem(&pem) {
            Ok(key) => Some(key),
            Err(error) => {
                self.add(name, chain(&error), None);
                None
            }
        }
    }

    /// What a key's file holds, if no password is needed for it.
    fn key_bytes(&mut self, folder: &Path, name: &str) -> Option<Bytes> {
        let pem = self.read(folder, name)?;
        if pem.windows(9).any(|text| text == b"ENCRYPTED") {
            let path = folder.join(name);
            let decrypt = format!(
                "(umask 077; openssl pkey -in {0} -out {0}.plain) && mv {0}.plain {0}",
                path.display()
            );
            self.add(name, "it is encrypted, and wants a password", Some(decrypt));
            return None;
        }
        Some(pem)
    }
}

/// The authority in these files, or None once a problem is noted.
pub(super) fn check(
    folder: &Path,
    pair: &Pair,
    authority: Authority,
    external: bool,
    now: OffsetDateTime,
    problems: &mut Problems,
) -> Option<Signer> {
    let certificate = problems.read(folder, &pair.certificate)?;
    let read = if external {
        Signer::without_key(&certificate, now)
    } else if folder.join(&pair.key).exists() {
        let key = problems.key_bytes(folder, &pair.key)?;
        Signer::parse(&certificate, &key, now, RENEW_BEFORE)
    } else {
        let stem = authority.stem();
        problems.add(
            &pair.certificate,
            format!("its key, {}, is not there", pair.key),
            Some(format!(
                "copy it there; or, if it is elsewhere for good, write into cluster.json: \
                 \"externalAuthorities\": [\"{stem}\"]"
            )),
        );
        // What is wrong with the certificate is told too.
        Signer::without_key(&certificate, now)
    };
    let judged = read.and_then(|signer| {
        suits(&signer, authority, now)?;
        Ok(signer)
    });
    match judged {
        Ok(signer) => Some(signer),
        Err(error) => {
            problems.add(&pair.certificate, chain(&error), None);
            None
        }
    }
}

/// Kubernetes takes it, and what is signed with it here is what its verifiers take.
fn suits(signer: &Signer, authority: Authority, now: OffsetDateTime) -> Result<()> {
    let root = signer.certificate.parse_x509()?;
    match Algorithm::of(root.public_key()) {
        Some(Algorithm::Ed25519) if authority == Authority::Cluster => {
            bail!("its key is ed25519, which Kubernetes does not take for the cluster's authority")
        }
        Some(_) => {}
        None => bail!("its key is of a kind or length that is not used here"),
    }
    let basic = Usages::of(&root)?.context("it has a usage that is not known here")?;
    let basic = basic.basic();
    ensure!(
        basic.is_empty() || basic.contains(&KeyUsagePurpose::KeyCertSign),
        "it may not sign certificates: it lacks the usage cert sign"
    );
    ensure!(
        check_signature(&root, &root).is_ok(),
        "{} signed it, and it is no root; a root is what every machine trusts",
        match root.issuer().as_raw() == root.subject().as_raw() {
            true => "another key".to_owned(),
            false => root.issuer().to_string(),
        }
    );
    if !signer.signs() {
        return Ok(());
    }
    // A subject that cannot be written again byte for byte would be nobody's issuer.
    let trial = Wanted::client(Subject::new("trial", None), Duration::HOUR)?;
    let leaf = trial.issue(signer.issuer()?, now)?;
    let leaf = certificate_pem(leaf.certificate_pem.as_bytes())?;
    check_signature(&leaf.parse_x509()?, &root).with_context(|| {
        format!(
            "its subject ({}) cannot be written here as it is there, so it cannot sign here",
            root.subject()
        )
    })
}
