//! From when until when the certificates in the state folder are valid.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result};
use time::OffsetDateTime;
use x509_parser::pem::Pem;

use super::found::certificates;
use super::service_account::PUBLIC;
use common::state::Paths;
use model::plan::SIGNING;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validity {
    /// The file's name.
    pub name: String,
    pub from: OffsetDateTime,
    pub until: OffsetDateTime,
}

/// Of every certificate that there is, sorted by name.
pub fn validities(paths: &Paths) -> Result<Vec<Validity>> {
    validities_in(&paths.pki())
}

/// The same of a copy of the PKI.
pub fn validities_in(folder: &Path) -> Result<Vec<Validity>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            return Err(error).with_context(|| format!("cannot read {}", folder.display()));
        }
    };
    let mut all = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // Keys; the key pair that signs tokens, which has no certificate; and a copy.
        if !name.ends_with(".pem")
            || name.ends_with("-key.pem")
            || [PUBLIC, SIGNING].contains(&&*name)
        {
            continue;
        }
        let read = || -> Result<Vec<Validity>> {
            let validity = |pem: Pem| {
                let parsed = pem.parse_x509().context("its certificate is unusable")?;
                Ok(Validity {
                    name: name.clone().into_owned(),
                    from: parsed.validity().not_before.to_datetime(),
                    until: parsed.validity().not_after.to_datetime(),
                })
            };
            let found = certificates(&fs::read(&path)?)?.into_iter();
            found.map(validity).collect()
        };
        all.extend(read().with_context(|| format!("cannot read {}", path.display()))?);
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(all)
}
