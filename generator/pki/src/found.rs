//! What is on disk against what is wanted: a leaf is kept for as long as nothing
//! about it differs; each error here says in words what does.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail, ensure};
use aws_lc_rs::signature::{ECDSA_P521_SHA512_ASN1, UnparsedPublicKey};
use rcgen::PublicKeyData;
use time::{Duration, OffsetDateTime};
use x509_parser::certificate::X509Certificate;
use x509_parser::pem::{Pem, parse_x509_pem};
use zeroize::Zeroizing;

use super::algorithm::Algorithm;
use super::authority::Signer;
use super::cfssl::{Usages, hours};
use super::elsewhere::check_foreign;
use super::issue::{Leaf, Wanted};
use super::key::Key;
use super::san::San;
use super::subject::Subject;

/// A certificate with less than this left is issued anew, so that a cluster that is
/// brought up once a month never meets an expired one.
pub(super) const RENEW_BEFORE: Duration = Duration::days(30);

/// Decodes a file with one certificate and nothing else.
pub(super) fn certificate_pem(bytes: &[u8]) -> Result<Pem> {
    let (rest, pem) = parse_x509_pem(bytes).context("its certificate is not whole PEM")?;
    if pem.label != "CERTIFICATE" {
        bail!("its certificate file holds {:?}", pem.label);
    }
    if !rest.trim_ascii().is_empty() {
        bail!("its certificate file holds more than one certificate");
    }
    Ok(pem)
}

/// Every certificate in a file: one, or two of an authority that is being replaced.
pub(super) fn certificates(bytes: &[u8]) -> Result<Vec<Pem>> {
    let (first, other) = two_certificates(bytes)?;
    [Some(first), other]
        .into_iter()
        .flatten()
        .map(certificate_pem)
        .collect()
}

/// The certificates in the file of an authority that is being replaced, as text: the one
/// that signs, and the other that is trusted too, where it is there yet or still.
pub(super) fn two_certificates(bytes: &[u8]) -> Result<(&[u8], Option<&[u8]>)> {
    let (rest, _) = parse_x509_pem(bytes).context("its certificate is not whole PEM")?;
    let (first, rest) = bytes.split_at(bytes.len() - rest.len());
    certificate_pem(first)?;
    if rest.trim_ascii().is_empty() {
        return Ok((first, None));
    }
    certificate_pem(rest).context("beside the one that signs")?;
    Ok((first, Some(rest)))
}

/// Valid now, and for long enough that nobody is caught out.
pub(super) fn check_validity(
    certificate: &X509Certificate<'_>,
    now: OffsetDateTime,
    left: Duration,
) -> Result<()> {
    let from = certificate.validity().not_before.to_datetime();
    let until = certificate.validity().not_after.to_datetime();
    ensure!(from <= now, "it is not valid before {}", from.date());
    ensure!(until > now, "it expired on {}", until.date());
    ensure!(until - now > left, "it expires on {}", until.date());
    Ok(())
}

/// The leaf in these files, if it is what is wanted; else the error says why not.
pub(super) fn matching(
    certificate: &[u8],
    key: &[u8],
    wanted: &Wanted,
    signer: &Signer,
    now: OffsetDateTime,
) -> Result<Leaf> {
    let pem = certificate_pem(certificate)?;
    let parsed = pem.parse_x509().context("its certificate is unusable")?;
    if signer.signs() {
        check_content(&parsed, wanted)?;
        // One that lives for a week is not issued anew every day.
        check_validity(&parsed, now, RENEW_BEFORE.min(wanted.lifetime / 3))?;
        check_lifetime(&parsed, wanted)?;
    } else {
        check_foreign(&parsed, wanted, now)?;
    }
    check_signature(&parsed, &signer.certificate.parse_x509()?)?;
    check_pair(&parsed, key)?;
    Ok(Leaf {
        certificate_pem: String::from_utf8(certificate.to_vec())?,
        key_pem: Zeroizing::new(std::str::from_utf8(key)?.to_owned()),
    })
}

pub(super) fn check_pair(certificate: &X509Certificate<'_>, key: &[u8]) -> Result<()> {
    let pair = Key::from_pem(key).context("its key is unusable")?;
    ensure!(
        certificate.public_key().raw == pair.subject_public_key_info(),
        "its key does not belong to it"
    );
    Ok(())
}

pub(super) fn check_signature(
    certificate: &X509Certificate<'_>,
    authority: &X509Certificate<'_>,
) -> Result<()> {
    ensure!(
        certificate.issuer().as_raw() == authority.subject().as_raw()
            && signed(certificate, authority),
        "another authority signed it"
    );
    Ok(())
}

/// Whether `authority`'s key made the signature.
fn signed(certificate: &X509Certificate<'_>, authority: &X509Certificate<'_>) -> bool {
    let public = authority.public_key();
    // The one that the parser's own check does not know.
    if Algorithm::of(public) == Some(Algorithm::Ecdsa521) {
        let key = UnparsedPublicKey::new(&ECDSA_P521_SHA512_ASN1, &public.subject_public_key.data);
        let (signed, signature) = (
            certificate.tbs_certificate.as_ref(),
            &certificate.signature_value.data,
        );
        return key.verify(signed, signature).is_ok();
    }
    certificate.verify_signature(Some(public)).is_ok()
}

fn check_lifetime(found: &X509Certificate<'_>, wanted: &Wanted) -> Result<()> {
    let lifetime = lifetime(found);
    ensure!(
        (lifetime - wanted.lifetime).abs() < Duration::HOUR,
        "it was signed for {}, and {} are asked for",
        hours(lifetime),
        hours(wanted.lifetime)
    );
    Ok(())
}

/// Subject, names, usages and kind of key are exactly those wanted: no fewer, and no
/// more powerful.
pub(super) fn check_content(found: &X509Certificate<'_>, wanted: &Wanted) -> Result<()> {
    ensure!(
        Subject::of(found.subject()).as_ref() == Some(&wanted.subject),
        "its subject was {}",
        found.subject()
    );
    let names = names(found)?;
    ensure!(
        names.is_some_and(|names| names.iter().collect::<BTreeSet<_>>() == wanted.sorted_names()),
        "its names have changed"
    );
    ensure!(
        found.is_ca() == wanted.authority.is_some()
            && Usages::of(found)?.as_ref() == Some(&wanted.usages),
        "its usages have changed"
    );
    let algorithm = Algorithm::of(found.public_key());
    ensure!(
        algorithm == Some(wanted.algorithm),
        "its key was {}, and {} is asked for",
        algorithm.map_or_else(|| "of another kind".to_owned(), |known| known.to_string()),
        wanted.algorithm
    );
    Ok(())
}

/// From its first moment to its last.
pub(super) fn lifetime(found: &X509Certificate<'_>) -> Duration {
    let validity = found.validity();
    validity.not_after.to_datetime() - validity.not_before.to_datetime()
}

/// Its subject alternative names; None where one is of a kind that is never issued here.
pub(super) fn names(found: &X509Certificate<'_>) -> Result<Option<Vec<San>>> {
    let Some(extension) = found.subject_alternative_name()? else {
        return Ok(Some(Vec::new()));
    };
    let names = extension.value.general_names.iter();
    Ok(names.map(San::from_certificate).collect())
}
