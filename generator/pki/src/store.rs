//! The folder with the keys: every file 0600, written whole or not at all.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Context, Result};
use rayon::prelude::*;
use zeroize::Zeroizing;

use super::modes::{self, Loose};
use super::read::read_file;
use common::exposure;
use common::file;
use common::report::WithHint;
use common::state::{Paths, private_folder};
use model::plan::NodePlan;

/// What is in a file of the PKI.
pub type Bytes = Zeroizing<Vec<u8>>;

pub(super) struct Store {
    folder: PathBuf,
    /// Set once it is known that neither Nix nor git copies what is written.
    checked: OnceLock<()>,
}

impl Store {
    /// The store for reading; nothing is made.
    pub(super) fn of(paths: &Paths) -> Self {
        Self {
            folder: paths.pki(),
            checked: OnceLock::new(),
        }
    }

    /// The store for writing: its folder exists from now on, 0700, and nobody else can
    /// read what is in it. With a line for each mode that was looser, and is mended.
    /// Fails where Nix or git would copy them.
    pub(super) fn create(paths: &Paths) -> Result<(Self, Vec<String>)> {
        let store = Self::of(paths);
        store.check()?;
        paths.create_state()?;
        private_folder(&paths.pki())?;
        let mended = modes::loose(paths)?
            .iter()
            .map(Loose::mend)
            .collect::<Result<_>>()?;
        Ok((store, mended))
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A file's content, or None if there is no such file.
    pub(super) fn read(&self, name: &str) -> Result<Option<Bytes>> {
        read_file(&self.path(name))
    }

    /// A file that `hardway generate` has made.
    pub(super) fn need(&self, name: &str) -> Result<Bytes> {
        self.read(name)?
            .with_context(|| format!("there is no {}", self.path(name).display()))
            .hint("run `hardway generate`")
    }

    /// Fails, before the first file is written, where Nix or git would copy it.
    fn check(&self) -> Result<()> {
        if self.checked.get().is_none() {
            exposure::refuse(self.folder.parent().unwrap_or(&self.folder))?;
        }
        self.checked.get_or_init(|| ());
        Ok(())
    }

    pub(super) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> Result<()> {
        self.check()?;
        file::replace(&self.path(name), bytes.as_ref(), file::PRIVATE)
    }

    /// Writes a file unless it holds these bytes already; true if it was written.
    pub(super) fn update(&self, name: &str, bytes: impl AsRef<[u8]>) -> Result<bool> {
        self.check()?;
        update(&self.path(name), bytes.as_ref())
    }
}

/// Writes `path` unless it holds `bytes` already; true if it was written.
pub(super) fn update(path: &Path, bytes: &[u8]) -> Result<bool> {
    if fs::read(path).is_ok_and(|found| Zeroizing::new(found).as_slice() == bytes) {
        return Ok(false);
    }
    file::replace(path, bytes, file::PRIVATE)?;
    Ok(true)
}

/// What travels to a node: exactly the files that its plan names.
pub fn node_files(node: &NodePlan, paths: &Paths) -> Result<Vec<(String, Bytes)>> {
    let store = Store::of(paths);
    let names: Vec<&String> = node.pki.keys().collect();
    names
        .into_par_iter()
        .map(|name| Ok((name.clone(), store.need(name)?)))
        .collect::<Result<_>>()
        .with_context(|| format!("cannot gather the keys of the node {}", node.name))
}
