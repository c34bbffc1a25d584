//! medium.lock.json: which bytes a cluster is installed from, by architecture. It is
//! meant to be committed beside cluster.json.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use common::file;
use common::report::WithHint;
use qemu::Arch;

/// A SHA-256 in lower-case hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Sum(String);

impl Sum {
    /// Reads 64 hexadecimal digits; the error says what is wrong with `text`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(Self(text.to_ascii_lowercase()));
        }
        Err(format!(
            "{text:?} is not a SHA-256 of 64 hexadecimal digits"
        ))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Sum {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// One medium: its bytes, and where they can be had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    pub url: String,
    /// e.g. `26.05.1234.8eeec934ae0d`.
    pub release: String,
    pub sha256: Sum,
    /// In bytes.
    pub size: u64,
}

/// The whole file.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct LockFile(BTreeMap<Arch, Pin>);

impl LockFile {
    /// What is pinned; nothing where there is no file.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", path.display()));
            }
        };
        serde_json::from_str(&text)
            .with_context(|| format!("{} is not what hardway wrote", path.display()))
            .hint("restore it with git, or delete it: the next run pins the channel's latest")
    }

    pub(super) fn get(&self, arch: Arch) -> Option<&Pin> {
        self.0.get(&arch)
    }

    pub(super) fn set(&mut self, arch: Arch, pin: Pin) {
        self.0.insert(arch, pin);
    }

    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        file::replace(path, format!("{text}\n").as_bytes(), 0o644)
    }
}
