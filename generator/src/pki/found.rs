//! What is on disk against what is wanted: a leaf is kept for as long as nothing
//! about it differs; each error here says in words what does.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail, ensure};
use rcgen::PublicKeyData;
use time::OffsetDateTime;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::ExtendedKeyUsage;
use x509_parser::oid_registry::{OID_X509_COMMON_NAME, OID_X509_ORGANIZATION_NAME};
use x509_parser::pem::{Pem, parse_x509_pem};
use zeroize::Zeroizing;

use super::RENEW_BEFORE;
use super::authority::Signer;
use super::issue::{Leaf, Wanted};
use super::key::Key;
use super::san::San;

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

/// Valid now, and for long enough that nobody is caught out.
pub(super) fn check_validity(certificate: &X509Certificate<'_>, now: OffsetDateTime) -> Result<()> {
    let from = certificate.validity().not_before.to_datetime();
    let until = certificate.validity().not_after.to_datetime();
    ensure!(from <= now, "it is not valid before {}", from.date());
    ensure!(until > now, "it expired on {}", until.date());
    ensure!(until - now > RENEW_BEFORE, "it expires on {}", until.date());
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
    check_content(&parsed, wanted)?;
    check_validity(&parsed, now)?;

    let authority = signer.certificate.parse_x509()?;
    ensure!(
        parsed.issuer() == authority.subject()
            && parsed
                .verify_signature(Some(authority.public_key()))
                .is_ok(),
        "another authority signed it"
    );
    let pair = Key::from_pem(key).context("its key is unusable")?;
    ensure!(
        parsed.public_key().raw == pair.subject_public_key_info(),
        "its key does not belong to it"
    );
    Ok(Leaf {
        certificate_pem: String::from_utf8(certificate.to_vec())?,
        key_pem: Zeroizing::new(std::str::from_utf8(key)?.to_owned()),
    })
}

/// Subject, names and usages are exactly those wanted: no fewer, and no more powerful.
fn check_content(found: &X509Certificate<'_>, wanted: &Wanted) -> Result<()> {
    let subject: Option<Vec<_>> = found
        .subject()
        .iter_attributes()
        .map(|attribute| Some((attribute.attr_type().clone(), attribute.as_str().ok()?)))
        .collect();
    let organization = wanted.organization.as_deref();
    let expected = organization
        .map(|name| (OID_X509_ORGANIZATION_NAME, name))
        .into_iter()
        .chain([(OID_X509_COMMON_NAME, wanted.common_name.as_str())])
        .collect();
    ensure!(
        subject == Some(expected),
        "its subject was {}",
        found.subject()
    );

    let names: Option<BTreeSet<San>> = match found.subject_alternative_name()? {
        Some(extension) => extension
            .value
            .general_names
            .iter()
            .map(San::from_certificate)
            .collect(),
        None => Some(BTreeSet::new()),
    };
    ensure!(
        names.is_some_and(|names| names.iter().collect::<BTreeSet<_>>() == wanted.sorted_names()),
        "its names have changed"
    );

    let usage = found.extended_key_usage()?.map(|extension| extension.value);
    let no_more = |usage: &ExtendedKeyUsage<'_>| {
        !usage.any
            && !usage.code_signing
            && !usage.email_protection
            && !usage.time_stamping
            && !usage.ocsp_signing
            && usage.other.is_empty()
    };
    ensure!(
        !found.is_ca()
            && found.key_usage()?.is_some_and(|usage| {
                let usage = usage.value;
                usage.digital_signature() && !usage.key_cert_sign() && !usage.crl_sign()
            })
            && usage.is_some_and(|usage| {
                usage.server_auth == wanted.server()
                    && usage.client_auth == wanted.client()
                    && no_more(usage)
            }),
        "its usages have changed"
    );
    Ok(())
}
