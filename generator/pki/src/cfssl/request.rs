//! `<name>-csr.json`: whom a certificate names, and with what key
//! (cfssl, csr/csr.go: CertificateRequest).

use anyhow::Result;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    #[serde(rename = "CN", default)]
    pub common_name: String,
    /// DNS names, addresses, e-mail addresses and URIs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hosts: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyRequest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub names: Option<Vec<Name>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<Authority>,
    #[serde(
        rename = "serialnumber",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub serial_number: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRequest {
    pub algo: String,
    /// In bits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u32>,
}

/// A part of the subject.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Name {
    #[serde(rename = "C", default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    #[serde(rename = "ST", default, skip_serializing_if = "Option::is_none")]
    pub province: Option<String>,
    #[serde(rename = "L", default, skip_serializing_if = "Option::is_none")]
    pub locality: Option<String>,
    #[serde(rename = "O", default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    #[serde(rename = "OU", default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    #[serde(
        rename = "SerialNumber",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub serial_number: Option<String>,
}

/// What an authority's request says beside.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Authority {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backdate: Option<String>,
    /// cfssl takes a length of 0 for "none given" unless the next field says otherwise.
    #[serde(default)]
    pub pathlen: u8,
    #[serde(default)]
    pub pathlenzero: bool,
}

impl Request {
    pub fn parse(text: &[u8]) -> Result<Self> {
        super::read(text)
    }
}
