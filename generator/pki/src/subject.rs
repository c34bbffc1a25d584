//! Whom a certificate names: the parts of its subject, in the order in which cfssl
//! writes them.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Result, bail, ensure};
use rcgen::{DistinguishedName, DnType, DnValue};
use x509_parser::x509::X509Name;

use super::cfssl::Request;

/// In the order to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Country,
    Province,
    Locality,
    Organization,
    Unit,
    CommonName,
    SerialNumber,
}

impl Part {
    const ALL: [Self; 7] = [
        Self::Country,
        Self::Province,
        Self::Locality,
        Self::Organization,
        Self::Unit,
        Self::CommonName,
        Self::SerialNumber,
    ];

    fn word(self) -> &'static str {
        match self {
            Self::Country => "C",
            Self::Organization => "O",
            Self::Unit => "OU",
            Self::Locality => "L",
            Self::Province => "ST",
            Self::CommonName => "CN",
            Self::SerialNumber => "serialNumber",
        }
    }

    fn oid(self) -> [u64; 4] {
        let last = match self {
            Self::CommonName => 3,
            Self::SerialNumber => 5,
            Self::Country => 6,
            Self::Locality => 7,
            Self::Province => 8,
            Self::Organization => 10,
            Self::Unit => 11,
        };
        [2, 5, 4, last]
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Subject(BTreeMap<Part, String>);

impl Subject {
    pub(super) fn new(common_name: &str, organization: Option<&str>) -> Self {
        let parts = [
            (Part::CommonName, Some(common_name)),
            (Part::Organization, organization),
        ];
        let given = parts
            .into_iter()
            .filter_map(|(part, text)| Some((part, text?.to_owned())));
        Self(given.collect())
    }

    pub(super) fn parse(request: &Request) -> Result<Self> {
        let mut subject = Self::default();
        subject.add(Part::CommonName, Some(&request.common_name))?;
        subject.add(Part::SerialNumber, request.serial_number.as_ref())?;
        for name in request.names.iter().flatten() {
            subject.add(Part::Country, name.country.as_ref())?;
            subject.add(Part::Province, name.province.as_ref())?;
            subject.add(Part::Locality, name.locality.as_ref())?;
            subject.add(Part::Organization, name.organization.as_ref())?;
            subject.add(Part::Unit, name.unit.as_ref())?;
            subject.add(Part::SerialNumber, name.serial_number.as_ref())?;
        }
        Ok(subject)
    }

    /// What is empty is left out, by cfssl too.
    fn add(&mut self, part: Part, text: Option<&String>) -> Result<()> {
        let Some(text) = text.filter(|text| !text.is_empty()) else {
            return Ok(());
        };
        let word = part.word();
        ensure!(
            !text.chars().any(char::is_control),
            "its {word} {text:?} has control characters"
        );
        if part == Part::Country {
            ensure!(
                text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_alphabetic()),
                "its C is {text:?}, not the two letters of a country"
            );
        }
        if let Some(before) = self.0.insert(part, text.clone()) {
            bail!("it has two {word}, {before:?} and {text:?}; one is all that is written here");
        }
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn get(&self, part: Part) -> Option<&str> {
        self.0.get(&part).map(String::as_str)
    }

    /// None where a certificate says something that is never written here.
    pub(super) fn of(name: &X509Name<'_>) -> Option<Self> {
        let mut parts = BTreeMap::new();
        for attribute in name.iter_attributes() {
            let numbers: Vec<u64> = attribute.attr_type().iter()?.collect();
            let part = Part::ALL
                .into_iter()
                .find(|part| part.oid()[..] == numbers)?;
            let text = attribute.as_str().ok()?.to_owned();
            if parts.insert(part, text).is_some() {
                return None;
            }
        }
        Some(Self(parts))
    }

    pub(super) fn to_rcgen(&self) -> Result<DistinguishedName> {
        let mut name = DistinguishedName::new();
        for (part, text) in &self.0 {
            let value = match part {
                // RFC 5280, appendix A.1, has no other type for these.
                Part::Country | Part::SerialNumber => {
                    DnValue::PrintableString(text.as_str().try_into()?)
                }
                _ => DnValue::Utf8String(text.clone()),
            };
            let kind = match part {
                Part::Country => DnType::CountryName,
                Part::Organization => DnType::OrganizationName,
                Part::Unit => DnType::OrganizationalUnitName,
                Part::Locality => DnType::LocalityName,
                Part::Province => DnType::StateOrProvinceName,
                Part::CommonName => DnType::CommonName,
                Part::SerialNumber => DnType::CustomDnType(part.oid().to_vec()),
            };
            name.push(kind, value);
        }
        Ok(name)
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (part, text)) in self.0.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            write!(out, "{comma}{}={text}", part.word())?;
        }
        Ok(())
    }
}
