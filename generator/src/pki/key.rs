//! A private key that does not outlive its use in memory.

use anyhow::{Context, Result, bail};
use base64::{Engine, engine::general_purpose::STANDARD};
use rcgen::{KeyPair, PublicKeyData, SignatureAlgorithm, SigningKey};
use x509_parser::pem::parse_x509_pem;
use zeroize::{Zeroize, Zeroizing};

/// A key pair whose PKCS#8 form is zeroed on drop.
pub(super) struct Key(KeyPair);

impl Key {
    /// A new ECDSA key on P-256: small, fast, and taken by every Kubernetes component.
    pub(super) fn generate() -> Result<Self> {
        Ok(Self(KeyPair::generate().context("cannot make a key")?))
    }

    /// Reads an unencrypted PKCS#8 key: ECDSA P-256 or P-384, RSA or Ed25519.
    pub(super) fn from_pem(pem: &[u8]) -> Result<Self> {
        let (_, pem) = parse_x509_pem(pem).context("it is not whole PEM")?;
        let label = pem.label;
        let der = Zeroizing::new(pem.contents);
        if label != "PRIVATE KEY" {
            bail!("it holds {label:?}, not \"PRIVATE KEY\" (PKCS#8)");
        }
        Ok(Self(KeyPair::try_from(der.as_slice())?))
    }

    /// The key as PKCS#8 PEM. Encoded here, since a PEM crate's buffers are not zeroed.
    pub(super) fn pem(&self) -> Zeroizing<String> {
        let body = Zeroizing::new(STANDARD.encode(self.0.serialized_der()));
        let mut text = Zeroizing::new(String::with_capacity(body.len() * 2));
        text.push_str("-----BEGIN PRIVATE KEY-----\n");
        let mut rest = body.as_str();
        while !rest.is_empty() {
            let (line, more) = rest.split_at(rest.len().min(64));
            text.push_str(line);
            text.push('\n');
            rest = more;
        }
        text.push_str("-----END PRIVATE KEY-----\n");
        text
    }

    /// The public half as PKIX PEM (`PUBLIC KEY`).
    pub(super) fn public_pem(&self) -> String {
        self.0.public_key_pem()
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl PublicKeyData for Key {
    fn der_bytes(&self) -> &[u8] {
        self.0.der_bytes()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.0.algorithm()
    }
}

impl SigningKey for Key {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.0.sign(message)
    }
}
