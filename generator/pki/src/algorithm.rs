//! The kinds of keys: cfssl's words for them, and rcgen's.

use std::fmt;

use anyhow::{Result, anyhow};
use rcgen::{
    KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ECDSA_P521_SHA512, PKCS_ED25519,
    PKCS_RSA_SHA256, PKCS_RSA_SHA384, PKCS_RSA_SHA512, RsaKeySize, SignatureAlgorithm,
};
use x509_parser::oid_registry::{OID_EC_P256, OID_NIST_EC_P384, OID_NIST_EC_P521, OID_SIG_ED25519};
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::cfssl::KeyRequest;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Ecdsa256,
    Ecdsa384,
    Ecdsa521,
    Rsa2048,
    Rsa3072,
    Rsa4096,
    Ed25519,
}

impl Algorithm {
    const ALL: [Self; 7] = [
        Self::Ecdsa256,
        Self::Ecdsa384,
        Self::Ecdsa521,
        Self::Rsa2048,
        Self::Rsa3072,
        Self::Rsa4096,
        Self::Ed25519,
    ];

    /// What is made where nothing is asked for, by cfssl too: small, fast, and taken by
    /// every Kubernetes component.
    pub(super) const DEFAULT: Self = Self::Ecdsa256;

    fn words(self) -> (&'static str, Option<u32>) {
        match self {
            Self::Ecdsa256 => ("ecdsa", Some(256)),
            Self::Ecdsa384 => ("ecdsa", Some(384)),
            Self::Ecdsa521 => ("ecdsa", Some(521)),
            Self::Rsa2048 => ("rsa", Some(2048)),
            Self::Rsa3072 => ("rsa", Some(3072)),
            Self::Rsa4096 => ("rsa", Some(4096)),
            Self::Ed25519 => ("ed25519", None),
        }
    }

    pub(super) fn parse(request: Option<&KeyRequest>) -> Result<Self> {
        let Some(request) = request else {
            return Ok(Self::DEFAULT);
        };
        let size = request.size.filter(|size| *size != 0);
        let known = Self::ALL.into_iter().find(|known| {
            let (algo, bits) = known.words();
            algo == request.algo && (bits == size || bits.is_none())
        });
        known.ok_or_else(|| {
            let size = size.map(|size| format!(" {size}")).unwrap_or_default();
            anyhow!(
                "there is no key {}{size}; there are ecdsa 256, 384 and 521, rsa 2048, 3072 and \
                 4096, and ed25519",
                request.algo
            )
        })
    }

    pub(super) fn request(self) -> KeyRequest {
        let (algo, size) = self.words();
        KeyRequest {
            algo: algo.to_owned(),
            size,
        }
    }

    /// None where it is a kind that is never made here.
    pub(super) fn of(key: &SubjectPublicKeyInfo<'_>) -> Option<Self> {
        if key.algorithm.algorithm == OID_SIG_ED25519 {
            return Some(Self::Ed25519);
        }
        match key.parsed().ok()? {
            PublicKey::RSA(rsa) => match rsa.key_size() {
                2048 => Some(Self::Rsa2048),
                3072 => Some(Self::Rsa3072),
                4096 => Some(Self::Rsa4096),
                _ => None,
            },
            PublicKey::EC(_) => {
                let curve = key.algorithm.parameters.as_ref()?.as_oid().ok()?;
                [
                    (OID_EC_P256, Self::Ecdsa256),
                    (OID_NIST_EC_P384, Self::Ecdsa384),
                    (OID_NIST_EC_P521, Self::Ecdsa521),
                ]
                .into_iter()
                .find_map(|(oid, known)| (oid == curve).then_some(known))
            }
            _ => None,
        }
    }

    /// How it signs: as cfssl has it, a longer key with a longer hash.
    pub(super) fn signature(self) -> &'static SignatureAlgorithm {
        match self {
            Self::Ecdsa256 => &PKCS_ECDSA_P256_SHA256,
            Self::Ecdsa384 => &PKCS_ECDSA_P384_SHA384,
            Self::Ecdsa521 => &PKCS_ECDSA_P521_SHA512,
            Self::Rsa2048 => &PKCS_RSA_SHA256,
            Self::Rsa3072 => &PKCS_RSA_SHA384,
            Self::Rsa4096 => &PKCS_RSA_SHA512,
            Self::Ed25519 => &PKCS_ED25519,
        }
    }

    pub(super) fn generate(self) -> Result<KeyPair, rcgen::Error> {
        let size = match self {
            Self::Rsa2048 => RsaKeySize::_2048,
            Self::Rsa3072 => RsaKeySize::_3072,
            Self::Rsa4096 => RsaKeySize::_4096,
            _ => return KeyPair::generate_for(self.signature()),
        };
        KeyPair::generate_rsa_for(self.signature(), size)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.words() {
            (algo, Some(size)) => write!(out, "{algo} {size}"),
            (algo, None) => out.write_str(algo),
        }
    }
}
