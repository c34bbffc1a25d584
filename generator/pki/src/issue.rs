//! Issuing: what a request and a profile ask for → a certificate and its key.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, SerialNumber};
use time::{Duration, OffsetDateTime};
use zeroize::Zeroizing;

use super::algorithm::Algorithm;
use super::cfssl::{self, Profile, Request, Usages};
use super::key::Key;
use super::san::San;
use super::subject::{Part, Subject};
use super::{BACKDATE, MASTERS};

/// How long an authority lives whose request does not say, with cfssl too.
const FIVE_YEARS: &str = "43800h";

/// A certificate and its key, both PEM.
pub(super) struct Leaf {
    pub(super) certificate_pem: String,
    pub(super) key_pem: Zeroizing<String>,
}

/// What a certificate says, checked: what is issued and what is compared.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) subject: Subject,
    /// In the order to be written.
    pub(super) names: Vec<San>,
    pub(super) usages: Usages,
    pub(super) algorithm: Algorithm,
    /// How long before now it is valid.
    pub(super) backdate: Duration,
    /// From its first moment to its last, the time before now included.
    pub(super) lifetime: Duration,
    pub(super) authority: Option<BasicConstraints>,
}

impl Wanted {
    /// What a request says, signed under a profile.
    pub(super) fn parse(request: &Request, profile: &Profile) -> Result<Self> {
        let authority = profile
            .ca_constraint
            .as_ref()
            .filter(|constraint| constraint.is_ca)
            .map(|constraint| match constraint.max_path_len {
                0 if !constraint.max_path_len_zero => BasicConstraints::Unconstrained,
                length => BasicConstraints::Constrained(length),
            });
        let wanted = Self {
            subject: Subject::parse(request)?,
            // cfssl signs no name for an authority.
            names: match authority {
                Some(_) => Vec::new(),
                None => names(request.hosts.iter().flatten())?,
            },
            usages: profile.usages()?,
            algorithm: Algorithm::parse(request.key.as_ref())?,
            backdate: profile.backdate()?,
            lifetime: profile.expiry()?,
            authority,
        };
        ensure!(
            !wanted.subject.is_empty() || !wanted.names.is_empty(),
            "it names nobody: it has neither a CN nor hosts"
        );
        Ok(wanted)
    }

    /// An authority's own certificate.
    pub(super) fn authority(request: &Request) -> Result<Self> {
        let said = request.ca.clone().unwrap_or_default();
        let profile = Profile {
            expiry: Some(said.expiry.unwrap_or_else(|| FIVE_YEARS.to_owned())),
            backdate: said.backdate,
            usages: ["cert sign", "crl sign"].map(str::to_owned).into(),
            ca_constraint: Some(cfssl::Constraint {
                is_ca: true,
                max_path_len: said.pathlen,
                max_path_len_zero: said.pathlenzero,
            }),
        };
        let wanted = Self::parse(request, &profile)?;
        ensure!(!wanted.subject.is_empty(), "an authority needs a CN");
        Ok(wanted)
    }

    /// A client that nobody's file describes.
    pub(super) fn client(subject: Subject, lifetime: Duration) -> Result<Self> {
        Ok(Self {
            subject,
            names: Vec::new(),
            usages: Usages::parse(&["digital signature", "client auth"])?,
            algorithm: Algorithm::DEFAULT,
            backdate: BACKDATE,
            lifetime: BACKDATE + lifetime,
            authority: None,
        })
    }

    /// With other names than those of the request.
    pub(super) fn with_names<'a>(self, hosts: impl Iterator<Item = &'a String>) -> Result<Self> {
        Ok(Self {
            names: names(hosts)?,
            ..self
        })
    }

    pub(super) fn is_master(&self) -> bool {
        self.subject.get(Part::Organization) == Some(MASTERS)
    }

    pub(super) fn sorted_names(&self) -> BTreeSet<&San> {
        self.names.iter().collect()
    }

    /// A new key with a certificate that `issuer` signs.
    pub(super) fn issue(&self, issuer: &Issuer<'_, Key>, now: OffsetDateTime) -> Result<Leaf> {
        let key = Key::generate(self.algorithm)?;
        Ok(Leaf {
            certificate_pem: self.sign(&key, issuer, now)?,
            key_pem: key.pem(),
        })
    }

    /// A certificate for a key that there is.
    pub(super) fn sign(
        &self,
        key: &Key,
        issuer: &Issuer<'_, Key>,
        now: OffsetDateTime,
    ) -> Result<String> {
        let certificate = self
            .params(now)?
            .signed_by(key, issuer)
            .with_context(|| format!("cannot sign the certificate of {}", self.subject))?;
        Ok(certificate.pem())
    }

    /// The authority's certificate, signed with its own key.
    pub(super) fn self_signed(&self, key: &Key, now: OffsetDateTime) -> Result<String> {
        let certificate = self
            .params(now)?
            .self_signed(key)
            .context("cannot sign its certificate")?;
        Ok(certificate.pem())
    }

    /// A signing request: names, and no more.
    pub(super) fn signing_request(&self, key: &Key) -> Result<String> {
        let mut params = self.named()?;
        params.is_ca = match self.authority {
            Some(constraints) => IsCa::Ca(constraints),
            None => IsCa::NoCa,
        };
        let request = params
            .serialize_request(key)
            .context("cannot write its signing request")?;
        Ok(request.pem()?)
    }

    /// A signing request with all that is asked for: names, usages, and to be no authority.
    pub(super) fn full_request(&self, key: &Key) -> Result<String> {
        let mut params = self.named()?;
        params.key_usages = self.usages.basic();
        params.extended_key_usages = self.usages.extended();
        params.is_ca = IsCa::ExplicitNoCa;
        let request = params
            .serialize_request(key)
            .context("cannot write its signing request")?;
        Ok(request.pem()?)
    }

    fn named(&self) -> Result<CertificateParams> {
        let mut params = CertificateParams::default();
        params.distinguished_name = self.subject.to_rcgen()?;
        let names = self.names.iter().map(San::to_rcgen);
        params.subject_alt_names = names.collect::<Result<_>>()?;
        Ok(params)
    }

    fn params(&self, now: OffsetDateTime) -> Result<CertificateParams> {
        let mut params = self.named()?;
        params.serial_number = Some(serial_number()?);
        params.not_before = now - self.backdate;
        params.not_after = params.not_before + self.lifetime;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = self.usages.basic();
        params.extended_key_usages = self.usages.extended();
        params.is_ca = match self.authority {
            Some(constraints) => IsCa::Ca(constraints),
            None => IsCa::ExplicitNoCa,
        };
        Ok(params)
    }
}

fn names<'a>(hosts: impl Iterator<Item = &'a String>) -> Result<Vec<San>> {
    hosts.map(|host| San::parse(host)).collect()
}

/// 126 random bits: positive, never zero, and at most 20 bytes (RFC 5280, 4.1.2.2).
fn serial_number() -> Result<SerialNumber> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).context("the system gives no random bytes")?;
    bytes[0] = (bytes[0] & 0x7f) | 0x40;
    Ok(SerialNumber::from_slice(&bytes))
}
