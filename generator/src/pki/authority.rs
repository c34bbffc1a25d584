//! The authorities: made once, then kept. A broken one is an error and never
//! replaced in silence, since every machine trusts the old one.

use anyhow::{Context, Result, anyhow, ensure};
use rcgen::{Issuer, PublicKeyData};
use time::{Duration, OffsetDateTime};
use x509_parser::pem::Pem;

use super::found::{RENEW_BEFORE, certificate_pem, check_content, check_validity};
use super::issue::Wanted;
use super::key::Key;
use super::store::Store;
use crate::plan::Authority;
use crate::report::WithHint;

/// An authority: it signs, unless its key is elsewhere.
pub(super) struct Signer {
    issuer: Option<Issuer<'static, Key>>,
    pub(super) certificate_pem: String,
    /// The same certificate, decoded, to check what it has signed.
    pub(super) certificate: Pem,
}

impl Signer {
    /// Reads an authority, or makes it if there is none; true if it was made.
    pub(super) fn ensure(
        authority: Authority,
        wanted: &Wanted,
        store: &Store,
        now: OffsetDateTime,
    ) -> Result<(Self, bool)> {
        let names = Names::of(authority);
        let found = (store.read(&names.certificate)?, store.read(&names.key)?);
        let key = match found {
            (Some(certificate), Some(key)) => {
                let signer = Self::parse(&certificate, &key, now, RENEW_BEFORE);
                return Ok((names.explain(signer, store)?, false));
            }
            (Some(_), None) => {
                let missing = anyhow!("there is no {}", store.path(&names.key).display());
                return names.explain(Err(missing), store);
            }
            // The key is written first: alone, it is left from a run that was cut short.
            (None, Some(key)) => names.explain(read_key(&key), store)?,
            (None, None) => Key::generate(wanted.algorithm)?,
        };
        let (certificate, pem) = (wanted.self_signed(&key, now)?, key.pem());
        store.write(&names.key, pem.as_bytes())?;
        store.write(&names.certificate, &certificate)?;
        Ok((
            Self::parse(certificate.as_bytes(), pem.as_bytes(), now, RENEW_BEFORE)?,
            true,
        ))
    }

    /// One whose key is not on this host: it checks what it has signed.
    pub(super) fn elsewhere(
        authority: Authority,
        store: &Store,
        now: OffsetDateTime,
    ) -> Result<Self> {
        let stem = authority.stem();
        let path = store.path(&format!("{stem}.pem"));
        let bring = format!(
            "bring the certificate of the authority whose key is elsewhere: hardway pki import DIR; \
             or cp FILE {}",
            path.display()
        );
        let bytes = store
            .read(&format!("{stem}.pem"))?
            .with_context(|| format!("there is no {}", path.display()))
            .hint(bring.clone())?;
        Self::without_key(&bytes, now)
            .with_context(|| format!("cannot use the authority {}", path.display()))
            .hint(bring)
    }

    /// The same from its certificate's bytes.
    pub(super) fn without_key(certificate: &[u8], now: OffsetDateTime) -> Result<Self> {
        let pem = certificate_pem(certificate)?;
        check_authority(&pem, now, RENEW_BEFORE)?;
        Ok(Self {
            issuer: None,
            certificate_pem: String::from_utf8(certificate.to_vec())?,
            certificate: pem,
        })
    }

    pub(super) fn signs(&self) -> bool {
        self.issuer.is_some()
    }

    /// Fails where the key is elsewhere.
    pub(super) fn issuer(&self) -> Result<&Issuer<'static, Key>> {
        self.issuer
            .as_ref()
            .context("cluster.json says that the authority's key is elsewhere")
            .hint("have it signed there: hardway pki csr NAME; hardway pki accept NAME FILE")
    }

    /// One that nobody has seen yet.
    pub(super) fn new(wanted: &Wanted, now: OffsetDateTime) -> Result<Self> {
        let key = Key::generate(wanted.algorithm)?;
        let certificate = wanted.self_signed(&key, now)?;
        Self::parse(
            certificate.as_bytes(),
            key.pem().as_bytes(),
            now,
            Duration::ZERO,
        )
    }

    /// Where it is kept although its request says something else by now: every machine
    /// trusts it, so it is never replaced for an edit alone.
    pub(super) fn differs(&self, authority: Authority, wanted: &Wanted) -> Option<String> {
        let found = self.certificate.parse_x509().ok()?;
        let difference = check_content(&found, wanted).err()?;
        let stem = authority.stem();
        Some(format!(
            "{stem} is kept, although hosts/pki/{stem}-csr.json asks for another: {difference}"
        ))
    }

    /// Reads an authority that must be there.
    pub(super) fn read(authority: Authority, store: &Store, now: OffsetDateTime) -> Result<Self> {
        let names = Names::of(authority);
        let (certificate, key) = (store.need(&names.certificate)?, store.need(&names.key)?);
        names.explain(Self::parse(&certificate, &key, now, RENEW_BEFORE), store)
    }

    /// Reads an authority from its two files' bytes; it has `left` to live, or more.
    pub(super) fn parse(
        certificate_bytes: &[u8],
        key: &[u8],
        now: OffsetDateTime,
        left: Duration,
    ) -> Result<Self> {
        let key = read_key(key)?;
        let pem = certificate_pem(certificate_bytes)?;
        check_authority(&pem, now, left)?;
        let certificate = pem.parse_x509().context("its certificate is unusable")?;
        ensure!(
            certificate.public_key().raw == key.subject_public_key_info(),
            "its key does not belong to its certificate"
        );
        let issuer = Issuer::from_ca_cert_der(&pem.contents.as_slice().into(), key)?;
        Ok(Self {
            issuer: Some(issuer),
            certificate_pem: String::from_utf8(certificate_bytes.to_vec())?,
            certificate: pem,
        })
    }
}

fn check_authority(pem: &Pem, now: OffsetDateTime, left: Duration) -> Result<()> {
    let certificate = pem.parse_x509().context("its certificate is unusable")?;
    ensure!(certificate.is_ca(), "its certificate is no authority's");
    check_validity(&certificate, now, left)
}

fn read_key(pem: &[u8]) -> Result<Key> {
    Key::from_pem(pem).context("its key is unusable")
}

/// An authority's files, and what to do when they are broken.
struct Names {
    certificate: String,
    key: String,
}

impl Names {
    fn of(authority: Authority) -> Self {
        let stem = authority.stem();
        Self {
            certificate: format!("{stem}.pem"),
            key: format!("{stem}-key.pem"),
        }
    }

    fn explain<T>(&self, result: Result<T>, store: &Store) -> Result<T> {
        result
            .with_context(|| {
                let path = store.path(&self.certificate);
                format!("cannot use the authority {}", path.display())
            })
            .hint(format!(
                "restore {} and {} from a copy; or replace the authority and all that it signed: \
                 remove both files, run `hardway generate`, and install the machines again",
                self.certificate, self.key
            ))
    }
}
