//! Issuing: what a request asks for → a certificate and its key.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyUsagePurpose, SerialNumber,
};
use time::{Duration, OffsetDateTime};
use zeroize::Zeroizing;

use super::key::Key;
use super::san::San;
use super::{BACKDATE, LEAF_LIFETIME, MASTERS};
use crate::plan::{CertificateRequest, Usage};
use crate::report::WithHint;

/// A certificate and its key, both PEM.
pub(super) struct Leaf {
    pub(super) certificate_pem: String,
    pub(super) key_pem: Zeroizing<String>,
}

/// What a leaf certificate says, checked: what is issued and what is compared.
pub(super) struct Wanted {
    pub(super) common_name: String,
    pub(super) organization: Option<String>,
    /// In the order to be written.
    pub(super) names: Vec<San>,
    pub(super) usage: Usage,
}

impl Wanted {
    /// Reads a request; one for all power, or with a name of no known kind, is refused.
    pub(super) fn parse(request: &CertificateRequest) -> Result<Self> {
        let parse = || -> Result<Self> {
            ensure!(
                request.organization.as_deref() != Some(MASTERS),
                "it asks for the group {MASTERS}, whose power nobody can take back"
            );
            Ok(Self {
                common_name: request.common_name.clone(),
                organization: request.organization.clone(),
                names: request
                    .hosts
                    .iter()
                    .map(|host| San::parse(host))
                    .collect::<Result<_>>()?,
                usage: request.usage,
            })
        };
        parse()
            .with_context(|| format!("cannot issue the certificate {}", request.name))
            .hint("give it a group of its own and valid names; bind the group to a ClusterRole")
    }

    pub(super) fn sorted_names(&self) -> BTreeSet<&San> {
        self.names.iter().collect()
    }

    pub(super) fn server(&self) -> bool {
        matches!(self.usage, Usage::Server | Usage::Peer)
    }

    pub(super) fn client(&self) -> bool {
        matches!(self.usage, Usage::Client | Usage::Peer)
    }

    /// A new key with a certificate that `issuer` signs, valid for a year from now.
    pub(super) fn issue(&self, issuer: &Issuer<'_, Key>, now: OffsetDateTime) -> Result<Leaf> {
        self.issue_for(issuer, now, LEAF_LIFETIME)
    }

    /// The same with a lifetime of one's own, the time before `now` included.
    pub(super) fn issue_for(
        &self,
        issuer: &Issuer<'_, Key>,
        now: OffsetDateTime,
        lifetime: Duration,
    ) -> Result<Leaf> {
        let mut params = params(
            &self.common_name,
            self.organization.as_deref(),
            now,
            lifetime,
        )?;
        params.is_ca = IsCa::ExplicitNoCa;
        params.subject_alt_names = self
            .names
            .iter()
            .map(San::to_rcgen)
            .collect::<Result<_>>()?;
        // Key encipherment is for RSA key exchange, which neither ECDSA nor TLS 1.3 has.
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        if self.server() {
            params
                .extended_key_usages
                .push(ExtendedKeyUsagePurpose::ServerAuth);
        }
        if self.client() {
            params
                .extended_key_usages
                .push(ExtendedKeyUsagePurpose::ClientAuth);
        }
        let key = Key::generate()?;
        let certificate = params
            .signed_by(&key, issuer)
            .with_context(|| format!("cannot sign the certificate of {}", self.common_name))?;
        Ok(Leaf {
            certificate_pem: certificate.pem(),
            key_pem: key.pem(),
        })
    }
}

/// What authorities' and leaves' certificates have in common.
pub(super) fn params(
    common_name: &str,
    organization: Option<&str>,
    now: OffsetDateTime,
    lifetime: Duration,
) -> Result<CertificateParams> {
    let mut subject = DistinguishedName::new();
    if let Some(organization) = organization {
        subject.push(DnType::OrganizationName, organization);
    }
    subject.push(DnType::CommonName, common_name);
    let mut params = CertificateParams::default();
    params.distinguished_name = subject;
    params.serial_number = Some(serial_number()?);
    params.not_before = now - BACKDATE;
    params.not_after = params.not_before + lifetime;
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

/// 126 random bits: positive, never zero, and at most 20 bytes (RFC 5280, 4.1.2.2).
fn serial_number() -> Result<SerialNumber> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).context("the system gives no random bytes")?;
    bytes[0] = (bytes[0] & 0x7f) | 0x40;
    Ok(SerialNumber::from_slice(&bytes))
}
