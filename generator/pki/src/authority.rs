//! The authorities: made once, then kept. A broken one is an error and never
//! replaced in silence, since every machine trusts the old one.

use anyhow::{Context, Result, anyhow, ensure};
use rcgen::{Issuer, PublicKeyData};
use time::{Duration, OffsetDateTime};
use x509_parser::pem::Pem;

use super::found::{
    RENEW_BEFORE, certificate_pem, check_content, check_validity, two_certificates,
};
use super::issue::Wanted;
use super::key::Key;
use super::rotation;
use super::store::Store;
use common::report::WithHint;
use model::plan::Authority;

/// An authority: it signs, unless its key is elsewhere.
pub(super) struct Signer {
    issuer: Option<Issuer<'static, Key>>,
    /// Its certificate, which goes with its key.
    pub(super) certificate_pem: String,
    /// The same, decoded, to check what it has signed.
    pub(super) certificate: Pem,
    /// Whom clients and servers are to trust: its certificate, and while it is being
    /// replaced the other one's too.
    pub(super) trusted_pem: String,
}

impl Signer {
    /// Reads an authority, or makes it if there is none; true if it was made.
    pub(super) fn ensure(
        authority: Authority,
        wanted: &Wanted,
        store: &Store,
        now: OffsetDateTime,
    ) -> Result<(Self, bool)> {
        let names = Names::of(authority, store)?;
        let found = (store.read(&names.certificate)?, store.read(&names.key)?);
        let key = match found {
            (Some(certificate), Some(key)) => {
                let signer = names.parse(&certificate, &key, now);
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
        let signing = match rotation::of(store, authority)? {
            true => two_certificates(&bytes)?.0,
            false => &bytes,
        };
        let trusted_pem = String::from_utf8(bytes.to_vec())?;
        Self::without_key(signing, now)
            .map(|signer| Self {
                trusted_pem,
                ..signer
            })
            .with_context(|| format!("cannot use the authority {}", path.display()))
            .hint(bring)
    }

    /// The same from its certificate's bytes.
    pub(super) fn without_key(certificate: &[u8], now: OffsetDateTime) -> Result<Self> {
        let pem = certificate_pem(certificate)?;
        check_authority(&pem, now, RENEW_BEFORE)?;
        let certificate_pem = String::from_utf8(certificate.to_vec())?;
        Ok(Self {
            issuer: None,
            trusted_pem: certificate_pem.clone(),
            certificate_pem,
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
        let names = Names::of(authority, store)?;
        let (certificate, key) = (store.need(&names.certificate)?, store.need(&names.key)?);
        names.explain(names.parse(&certificate, &key, now), store)
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
        let certificate_pem = String::from_utf8(certificate_bytes.to_vec())?;
        Ok(Self {
            issuer: Some(issuer),
            trusted_pem: certificate_pem.clone(),
            certificate_pem,
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
    stem: &'static str,
    certificate: String,
    key: String,
    /// Whether it is being replaced: then two certificates are in its file.
    rotating: bool,
}

impl Names {
    fn of(authority: Authority, store: &Store) -> Result<Self> {
        let stem = authority.stem();
        Ok(Self {
            stem,
            certificate: format!("{stem}.pem"),
            key: format!("{stem}-key.pem"),
            rotating: rotation::of(store, authority)?,
        })
    }

    fn parse(&self, certificate: &[u8], key: &[u8], now: OffsetDateTime) -> Result<Signer> {
        if !self.rotating {
            let signer = Signer::parse(certificate, key, now, Duration::ZERO)?;
            check_validity(&signer.certificate.parse_x509()?, now, RENEW_BEFORE).hint(format!(
                "replace it while it is valid: hardway pki rotate-ca {}",
                self.stem
            ))?;
            return Ok(signer);
        }
        let (signing, _) = two_certificates(certificate)?;
        Ok(Signer {
            trusted_pem: String::from_utf8(certificate.to_vec())?,
            ..Signer::parse(signing, key, now, Duration::ZERO)?
        })
    }

    fn explain<T>(&self, result: Result<T>, store: &Store) -> Result<T> {
        let path = store.path(&self.certificate);
        result
            .with_context(|| format!("cannot use the authority {}", path.display()))
            .hint(match self.rotating {
                true => format!(
                    "it is being replaced; go on with that: hardway pki rotate-ca {}",
                    self.stem
                ),
                false => format!(
                    "restore {} and {} from a copy; or replace the authority and all that it \
                     signed: remove both files, run `hardway generate`, and install the machines \
                     again",
                    self.certificate, self.key
                ),
            })
    }
}
