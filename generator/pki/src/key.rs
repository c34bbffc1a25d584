//! A private key that does not outlive its use in memory.

use anyhow::{Context, Result, bail, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use rcgen::{KeyPair, PublicKeyData, SignatureAlgorithm, SigningKey};
use rustls::pki_types::PrivateKeyDer;
use x509_parser::pem::parse_x509_pem;
use x509_parser::prelude::FromDer;
use x509_parser::x509::SubjectPublicKeyInfo;
use zeroize::{Zeroize, Zeroizing};

use super::algorithm::Algorithm;

/// A key pair whose encoded form is zeroed on drop.
pub(super) struct Key {
    pair: KeyPair,
    /// What its PEM is called: `PRIVATE KEY` is PKCS#8; cfssl writes the two older forms.
    label: &'static str,
}

const PKCS8: &str = "PRIVATE KEY";
/// cfssl's word for PKCS#8 with this one kind of key; Go reads it too, openssl does not.
const CFSSL_ED25519: &str = "Ed25519 PRIVATE KEY";

impl Key {
    pub(super) fn generate(algorithm: Algorithm) -> Result<Self> {
        let pair = match algorithm {
            Algorithm::Ed25519 => ed25519()?,
            other => other.generate().context("cannot make a key")?,
        };
        Ok(Self { pair, label: PKCS8 })
    }

    /// Reads an unencrypted key: PKCS#8, or the older forms of ECDSA's and RSA's own.
    pub(super) fn from_pem(pem: &[u8]) -> Result<Self> {
        let (rest, pem) = parse_x509_pem(pem).context("it is not whole PEM")?;
        let said = pem.label;
        let der = Zeroizing::new(pem.contents);
        ensure!(
            rest.trim_ascii().is_empty(),
            "its file holds more than one key"
        );
        let (key, label) = match PrivateKeyDer::try_from(der.as_slice()) {
            Ok(key @ PrivateKeyDer::Pkcs8(_)) => (key, PKCS8),
            Ok(key @ PrivateKeyDer::Sec1(_)) => (key, "EC PRIVATE KEY"),
            Ok(key @ PrivateKeyDer::Pkcs1(_)) => (key, "RSA PRIVATE KEY"),
            _ if said.ends_with(PKCS8) => bail!("it is not whole, or wants a password"),
            _ => bail!("it holds {said:?}, not \"{PKCS8}\" (PKCS#8)"),
        };
        ensure!(
            said == label || said == CFSSL_ED25519 && label == PKCS8,
            "it holds {label:?} and calls it {said:?}"
        );
        let pair = KeyPair::try_from(&key)?;
        let read = Self { pair, label };
        // An RSA key of another length signs with another hash.
        let signature = match read.algorithm_of() {
            Some(algorithm) => algorithm.signature(),
            None => bail!("it is a kind of key that is not used here"),
        };
        if signature == read.pair.algorithm() {
            return Ok(read);
        }
        Ok(Self {
            pair: KeyPair::from_der_and_sign_algo(&key, signature)?,
            label,
        })
    }

    /// None where it is none that is ever made here.
    pub(super) fn algorithm_of(&self) -> Option<Algorithm> {
        let public = self.pair.subject_public_key_info();
        let (_, public) = SubjectPublicKeyInfo::from_der(&public).ok()?;
        Algorithm::of(&public)
    }

    /// The key as PEM. Encoded here, since a PEM crate's buffers are not zeroed.
    pub(super) fn pem(&self) -> Zeroizing<String> {
        let body = Zeroizing::new(STANDARD.encode(self.pair.serialized_der()));
        let mut text = Zeroizing::new(String::with_capacity(body.len() * 2 + 80));
        text.push_str("-----BEGIN ");
        text.push_str(self.label);
        text.push_str("-----\n");
        let mut rest = body.as_str();
        while !rest.is_empty() {
            let (line, more) = rest.split_at(rest.len().min(64));
            text.push_str(line);
            text.push('\n');
            rest = more;
        }
        text.push_str("-----END ");
        text.push_str(self.label);
        text.push_str("-----\n");
        text
    }

    /// The public half as PKIX PEM (`PUBLIC KEY`).
    pub(super) fn public_pem(&self) -> String {
        self.pair.public_key_pem()
    }
}

/// Its first form (RFC 8410, 7): the second, with the public half, is one that older
/// programs cannot read.
fn ed25519() -> Result<KeyPair> {
    let head = [
        0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20,
    ];
    let mut der = Zeroizing::new([0; 48]);
    let (start, seed) = der.split_at_mut(head.len());
    start.copy_from_slice(&head);
    getrandom::fill(seed).context("the system gives no random bytes")?;
    Ok(KeyPair::try_from(der.as_slice())?)
}

impl Drop for Key {
    fn drop(&mut self) {
        self.pair.zeroize();
    }
}

impl PublicKeyData for Key {
    fn der_bytes(&self) -> &[u8] {
        self.pair.der_bytes()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.pair.algorithm()
    }
}

impl SigningKey for Key {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.pair.sign(message)
    }
}
