//! What a key may be used for: cfssl's words (config/config.go: KeyUsage, ExtKeyUsage).

use std::collections::BTreeSet;
use std::fmt;

use anyhow::{Result, anyhow};
use rcgen::{ExtendedKeyUsagePurpose as Extended, KeyUsagePurpose as Usage};
use x509_parser::certificate::X509Certificate;

/// The bits of a certificate's key usage.
static BASIC: [(&str, Usage); 9] = [
    ("digital signature", Usage::DigitalSignature),
    ("content commitment", Usage::ContentCommitment),
    ("key encipherment", Usage::KeyEncipherment),
    ("data encipherment", Usage::DataEncipherment),
    ("key agreement", Usage::KeyAgreement),
    ("cert sign", Usage::KeyCertSign),
    ("crl sign", Usage::CrlSign),
    ("encipher only", Usage::EncipherOnly),
    ("decipher only", Usage::DecipherOnly),
];

/// The purposes of its extended key usage, with their object identifiers.
static EXTENDED: [(&str, &[u64]); 12] = [
    ("any", &[2, 5, 29, 37, 0]),
    ("server auth", &[1, 3, 6, 1, 5, 5, 7, 3, 1]),
    ("client auth", &[1, 3, 6, 1, 5, 5, 7, 3, 2]),
    ("code signing", &[1, 3, 6, 1, 5, 5, 7, 3, 3]),
    ("email protection", &[1, 3, 6, 1, 5, 5, 7, 3, 4]),
    ("ipsec end system", &[1, 3, 6, 1, 5, 5, 7, 3, 5]),
    ("ipsec tunnel", &[1, 3, 6, 1, 5, 5, 7, 3, 6]),
    ("ipsec user", &[1, 3, 6, 1, 5, 5, 7, 3, 7]),
    ("timestamping", &[1, 3, 6, 1, 5, 5, 7, 3, 8]),
    ("ocsp signing", &[1, 3, 6, 1, 5, 5, 7, 3, 9]),
    ("microsoft sgc", &[1, 3, 6, 1, 4, 1, 311, 10, 3, 3]),
    ("netscape sgc", &[2, 16, 840, 1, 113_730, 4, 1]),
];

/// A set of usages, each by its word.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Usages(BTreeSet<&'static str>);

impl Usages {
    pub(crate) fn parse<S: AsRef<str>>(words: &[S]) -> Result<Self> {
        words
            .iter()
            .map(|word| {
                let word = match word.as_ref() {
                    "signing" => "digital signature",
                    "s/mime" => "email protection",
                    word => word,
                };
                all()
                    .find(|known| *known == word)
                    .ok_or_else(|| anyhow!("{word:?} is no usage; cfssl has {}", listed()))
            })
            .collect::<Result<_>>()
            .map(Self)
    }

    /// None where a certificate has a usage for which there is no word.
    pub(crate) fn of(certificate: &X509Certificate<'_>) -> Result<Option<Self>> {
        let mut words = BTreeSet::new();
        if let Some(found) = certificate.key_usage()? {
            // The first usage of the list is the lowest bit.
            let bits = BASIC.iter().enumerate();
            words.extend(
                bits.filter(|(bit, _)| found.value.flags & (1 << bit) != 0)
                    .map(|(_, (word, _))| *word),
            );
        }
        if let Some(found) = certificate.extended_key_usage()? {
            let found = found.value;
            let named = [
                ("any", found.any),
                ("server auth", found.server_auth),
                ("client auth", found.client_auth),
                ("code signing", found.code_signing),
                ("email protection", found.email_protection),
                ("timestamping", found.time_stamping),
                ("ocsp signing", found.ocsp_signing),
            ];
            words.extend(named.iter().filter(|(_, on)| *on).map(|(word, _)| *word));
            for oid in &found.other {
                let Some(numbers) = oid.iter() else {
                    return Ok(None);
                };
                let numbers: Vec<u64> = numbers.collect();
                match EXTENDED.iter().find(|(_, known)| *known == numbers) {
                    Some((word, _)) => words.insert(*word),
                    None => return Ok(None),
                };
            }
        }
        Ok(Some(Self(words)))
    }

    pub(crate) fn basic(&self) -> Vec<Usage> {
        let known = BASIC.iter().filter(|(word, _)| self.0.contains(word));
        known.map(|(_, usage)| *usage).collect()
    }

    pub(crate) fn extended(&self) -> Vec<Extended> {
        let known = EXTENDED.iter().filter(|(word, _)| self.0.contains(word));
        known
            .map(|(_, oid)| Extended::Other(oid.to_vec()))
            .collect()
    }

    pub(crate) fn words(&self) -> Vec<&'static str> {
        let known = all().filter(|word| self.0.contains(word));
        known.collect()
    }
}

impl fmt::Display for Usages {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.words().join(", "))
    }
}

/// Every word, in cfssl's order.
fn all() -> impl Iterator<Item = &'static str> {
    let basic = BASIC.iter().map(|(word, _)| *word);
    basic.chain(EXTENDED.iter().map(|(word, _)| *word))
}

fn listed() -> String {
    all().collect::<Vec<_>>().join(", ")
}
