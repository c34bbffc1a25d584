//! A snapshot's name: it becomes part of a file's name and of a tag in an image.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

const LONGEST: usize = 64;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Name(String);

impl Name {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its name inside the images. Never a number alone, which QEMU would take for the
    /// number of a snapshot.
    pub(super) fn tag(&self) -> String {
        format!("hardway-{}", self.0)
    }
}

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.len() > LONGEST {
            return Err(format!("a name has at most {LONGEST} characters"));
        }
        let inside = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if !text.starts_with(|c: char| c.is_ascii_alphanumeric()) || !text.chars().all(inside) {
            return Err(
                "a name begins with a letter or digit, and has letters, digits, `-`, `_` and `.`"
                    .to_owned(),
            );
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for Name {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_no_path_and_not_long() {
        for good in ["fresh", "2026-11-26_a.b", "7", &"a".repeat(64)] {
            assert_eq!(good.parse::<Name>().unwrap().as_str(), good);
        }
        for bad in ["", "a/b", "..", ".a", "-a", "a b", "ä", &"a".repeat(300)] {
            assert!(bad.parse::<Name>().is_err(), "{bad:?}");
        }
    }
}
