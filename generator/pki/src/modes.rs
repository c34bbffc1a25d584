//! Who else could read the keys: files and folders of the PKI with a looser mode than
//! their owner's alone.

use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use common::file;
use common::report::WithHint;
use common::state::Paths;

/// The mode of a folder that its owner alone may enter.
const FOLDER: u32 = 0o700;

pub(super) struct Loose {
    path: PathBuf,
    found: u32,
    wanted: u32,
}

impl Loose {
    /// Takes everybody else's permissions away, and says so.
    pub(super) fn mend(&self) -> Result<String> {
        fs::set_permissions(&self.path, Permissions::from_mode(self.wanted))
            .with_context(|| format!("cannot change the mode of {}", self.path.display()))
            .hint(format!("check who owns it: ls -ld {}", self.path.display()))?;
        Ok(format!(
            "{} is its owner's alone again: its mode was {:04o}",
            self.path.display(),
            self.found
        ))
    }

    pub(super) fn said(&self) -> String {
        format!(
            "{} has the mode {:04o}, not {:04o}",
            self.path.display(),
            self.found,
            self.wanted
        )
    }
}

/// Whatever of the PKI others may read, write or enter; links are followed by nobody.
pub(super) fn loose(paths: &Paths) -> Result<Vec<Loose>> {
    let mut all: Vec<Loose> = Vec::new();
    all.extend(look(&paths.state(), FOLDER)?);
    all.extend(look(&paths.kubeconfig(), file::PRIVATE)?);
    for folder in [paths.pki(), paths.requests()] {
        all.extend(look(&folder, FOLDER)?);
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            // No folder yet, or no folder at all: whoever writes into it says so.
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                continue;
            }
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", folder.display()));
            }
        };
        for entry in entries {
            all.extend(look(&entry?.path(), file::PRIVATE)?);
        }
    }
    all.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(all)
}

fn look(path: &Path, wanted: u32) -> Result<Option<Loose>> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(error).with_context(|| format!("cannot look at {}", path.display()));
        }
    };
    let kind = match wanted {
        FOLDER => found.is_dir(),
        _ => found.is_file(),
    };
    let mode = found.mode() & 0o7777;
    Ok((kind && mode & 0o077 != 0).then(|| Loose {
        path: path.to_path_buf(),
        found: mode,
        wanted,
    }))
}
