//! Subject alternative names: text → the type that a verifier compares it as. A
//! name written as an address, or the other way round, would match nothing.

use std::net::IpAddr;

use anyhow::{Result, anyhow};
use rcgen::SanType;
use x509_parser::extensions::GeneralName;

/// A name under which a server is dialled.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum San {
    Dns(String),
    Ip(IpAddr),
}

impl San {
    pub(super) fn parse(text: &str) -> Result<Self> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Ip(address));
        }
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        };
        // A name whose last label is a number is a mistyped address (RFC 1123, 2.1).
        let numeric = text
            .rsplit('.')
            .next()
            .is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
        if text.len() > 253 || numeric || !text.split('.').all(label) {
            return Err(anyhow!("{text:?} is neither a DNS name nor an IP address"));
        }
        Ok(Self::Dns(text.to_owned()))
    }

    pub(super) fn to_rcgen(&self) -> Result<SanType> {
        Ok(match self {
            Self::Dns(name) => SanType::DnsName(name.as_str().try_into()?),
            Self::Ip(address) => SanType::IpAddress(*address),
        })
    }

    /// None where a certificate has a kind of name that is never issued here.
    pub(super) fn from_certificate(name: &GeneralName<'_>) -> Option<Self> {
        match name {
            GeneralName::DNSName(name) => Some(Self::Dns((*name).to_owned())),
            GeneralName::IPAddress(bytes) => match bytes.len() {
                4 => <[u8; 4]>::try_from(*bytes)
                    .ok()
                    .map(|ip| Self::Ip(ip.into())),
                16 => <[u8; 16]>::try_from(*bytes)
                    .ok()
                    .map(|ip| Self::Ip(ip.into())),
                _ => None,
            },
            _ => None,
        }
    }
}
