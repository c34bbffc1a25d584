//! `ca-config.json`: for how long and for what an authority signs
//! (cfssl, config/config.go: Signing, SigningProfile).

use std::collections::BTreeMap;

use anyhow::{Context, Result, anyhow};
use serde::{Deserialize, Serialize};
use time::Duration;

use super::{Usages, duration};
use crate::{BACKDATE, LEAF_LIFETIME};

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    signing: Signing,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signing {
    default: Profile,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    profiles: BTreeMap<String, Profile>,
}

/// As written: words are read where a certificate is signed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backdate: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub usages: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_constraint: Option<Constraint>,
}

/// Where what is signed is an authority itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Constraint {
    #[serde(default)]
    pub is_ca: bool,
    #[serde(default)]
    pub max_path_len: u8,
    #[serde(default)]
    pub max_path_len_zero: bool,
}

impl Config {
    pub(crate) fn new(default: Profile, profiles: BTreeMap<String, Profile>) -> Self {
        Self {
            signing: Signing { default, profiles },
        }
    }

    pub fn parse(text: &[u8]) -> Result<Self> {
        super::read(text)
    }

    /// What cfssl signs with where it is given no file.
    pub fn without_file() -> Self {
        let words = ["signing", "key encipherment", "server auth", "client auth"];
        let default = Profile {
            expiry: Some(duration::hours(LEAF_LIFETIME)),
            usages: words.map(str::to_owned).into(),
            ..Profile::default()
        };
        Self::new(default, BTreeMap::new())
    }

    /// A profile by its name; the default one where none is named.
    pub fn profile(&self, name: Option<&str>) -> Result<&Profile> {
        let Some(name) = name else {
            return Ok(&self.signing.default);
        };
        self.signing.profiles.get(name).ok_or_else(|| {
            let known: Vec<&str> = self.signing.profiles.keys().map(String::as_str).collect();
            match known.is_empty() {
                true => anyhow!("there is no profile {name:?}, nor any other"),
                false => anyhow!(
                    "there is no profile {name:?}; there are {}",
                    known.join(", ")
                ),
            }
        })
    }
}

impl Profile {
    pub(crate) fn expiry(&self) -> Result<Duration> {
        let Some(text) = &self.expiry else {
            return Ok(LEAF_LIFETIME);
        };
        let expiry = duration::parse(text).context("its expiry")?;
        match expiry.is_zero() {
            true => Err(anyhow!("its expiry is {text:?}")),
            false => Ok(expiry),
        }
    }

    /// cfssl too takes none for five minutes, and 0 for none.
    pub(crate) fn backdate(&self) -> Result<Duration> {
        let text = self.backdate.as_deref().unwrap_or_default();
        let parsed = match text {
            "" => Duration::ZERO,
            text => duration::parse(text).context("its backdate")?,
        };
        Ok(match parsed.is_zero() {
            true => BACKDATE,
            false => parsed,
        })
    }

    pub(crate) fn usages(&self) -> Result<Usages> {
        let usages = Usages::parse(&self.usages)?;
        match usages.words().is_empty() {
            true => Err(anyhow!("the profile has no usages")),
            false => Ok(usages),
        }
    }
}
