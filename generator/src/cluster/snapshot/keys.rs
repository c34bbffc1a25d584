//! The PKI and the kubeconfig of a snapshot's time, kept beside its record: a later
//! `generate` may have replaced what the machines' disks still depend on.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use zeroize::Zeroizing;

use super::Name;
use crate::file;
use crate::state::{Paths, private_folder};

/// The kubeconfig in the copy; no file of the PKI has this name.
const KUBECONFIG: &str = "admin@host.kubeconfig";

fn folder(paths: &Paths, name: &Name) -> PathBuf {
    paths.snapshots().join(format!("{name}.pki"))
}

pub(super) fn keep(paths: &Paths, name: &Name) -> Result<()> {
    let copy = folder(paths, name);
    remove_folder(&copy)?;
    private_folder(&copy)?;
    copy_files(&paths.pki(), &copy)?;
    if paths.kubeconfig().is_file() {
        copy_file(&paths.kubeconfig(), &copy.join(KUBECONFIG))?;
    }
    Ok(())
}

/// Fails where nothing was kept.
pub(super) fn check(paths: &Paths, name: &Name) -> Result<()> {
    let copy = folder(paths, name);
    match copy.is_dir() {
        true => Ok(()),
        false => Err(anyhow!("there is no {}", copy.display())),
    }
}

/// Puts what was kept in the place of what is there.
pub(super) fn bring_back(paths: &Paths, name: &Name) -> Result<()> {
    let (copy, pki) = (folder(paths, name), paths.pki());
    let (new, old) = (pki.with_extension("new"), pki.with_extension("old"));
    remove_folder(&new)?;
    remove_folder(&old)?;
    private_folder(&new)?;
    copy_files(&copy, &new)?;
    let kubeconfig = new.join(KUBECONFIG);
    if kubeconfig.is_file() {
        copy_file(&kubeconfig, &paths.kubeconfig())?;
        remove_file(&kubeconfig)?;
    }
    if pki.is_dir() {
        rename(&pki, &old)?;
    }
    rename(&new, &pki)?;
    remove_folder(&old)
}

pub(super) fn remove(paths: &Paths, name: &Name) -> Result<()> {
    remove_folder(&folder(paths, name))
}

fn copy_files(from: &Path, to: &Path) -> Result<()> {
    let cannot = || format!("cannot read {}", from.display());
    for entry in fs::read_dir(from).with_context(cannot)? {
        let entry = entry.with_context(cannot)?;
        if entry.path().is_file() {
            copy_file(&entry.path(), &to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

fn copy_file(from: &Path, to: &Path) -> Result<()> {
    let bytes = fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
    file::replace(to, &Zeroizing::new(bytes), file::PRIVATE)
}

fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to)
        .with_context(|| format!("cannot rename {} to {}", from.display(), to.display()))
}

fn remove_file(file: &Path) -> Result<()> {
    fs::remove_file(file).with_context(|| format!("cannot remove {}", file.display()))
}

fn remove_folder(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}
