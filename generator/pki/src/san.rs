//! Subject alternative names: text → the type that a verifier compares it as. A
//! name written as an address, or the other way round, would match nothing.

use std::fmt;
use std::net::IpAddr;

use anyhow::{Result, anyhow};
use rcgen::SanType;
use x509_parser::extensions::GeneralName;

/// A name under which a server is dialled, or a client is known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum San {
    Dns(String),
    Ip(IpAddr),
    Email(String),
    Uri(String),
}

impl San {
    pub(super) fn parse(text: &str) -> Result<Self> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Ip(address));
        }
        let own = || text.to_owned();
        if is_uri(text) {
            return Ok(Self::Uri(own()));
        }
        if let Some((local, domain)) = text.split_once('@') {
            let plain = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
            if !local.is_empty() && local.chars().all(plain) && is_name(domain) {
                return Ok(Self::Email(own()));
            }
        }
        // One label may be left open, where at least two follow.
        let name = text
            .strip_prefix("*.")
            .filter(|rest| rest.contains('.'))
            .unwrap_or(text);
        if text.len() > 253 || !is_name(name) {
            return Err(anyhow!(
                "{text:?} is neither a DNS name nor an IP address{}",
                match text.contains(['@', ':']) {
                    true => ", an e-mail address or a URI",
                    false => "",
                }
            ));
        }
        Ok(Self::Dns(own()))
    }

    pub(super) fn to_rcgen(&self) -> Result<SanType> {
        Ok(match self {
            Self::Dns(name) => SanType::DnsName(name.as_str().try_into()?),
            Self::Ip(address) => SanType::IpAddress(*address),
            Self::Email(address) => SanType::Rfc822Name(address.as_str().try_into()?),
            Self::Uri(uri) => SanType::URI(uri.as_str().try_into()?),
        })
    }

    /// None where a certificate has a kind of name that is never issued here.
    pub(super) fn from_certificate(name: &GeneralName<'_>) -> Option<Self> {
        match name {
            GeneralName::DNSName(name) => Some(Self::Dns((*name).to_owned())),
            GeneralName::RFC822Name(address) => Some(Self::Email((*address).to_owned())),
            GeneralName::URI(uri) => Some(Self::Uri((*uri).to_owned())),
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

impl fmt::Display for San {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(out),
            Self::Dns(text) | Self::Email(text) | Self::Uri(text) => out.write_str(text),
        }
    }
}

fn is_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    // A name whose last label is a number is a mistyped address (RFC 1123, 2.1).
    let last = text.rsplit('.').next().unwrap_or_default();
    !last.bytes().all(|byte| byte.is_ascii_digit()) && text.split('.').all(label)
}

/// `scheme://…` or `urn:…`: a bare `name:port` would be one too, and is a slip.
fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else {
        return false;
    };
    let rest = match scheme {
        "urn" => rest,
        _ => rest.strip_prefix("//").unwrap_or_default(),
    };
    scheme.starts_with(|c: char| c.is_ascii_lowercase())
        && scheme
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.".contains(c))
        && !rest.is_empty()
        && rest
            .chars()
            .all(|c| c.is_ascii_graphic() && !"\"<>\\^`{|}".contains(c))
}
