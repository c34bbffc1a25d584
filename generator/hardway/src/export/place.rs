//! The folder that an export is written into: all of it ours, replaced at once.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, anyhow};

use super::{Files, keys};
use common::report::WithHint;

const MARK: &str = "# Written by `hardway export";

/// Puts `files`, and nothing else, into `out`. A flake.lock that is there stays: it
/// pins what the tool has added to it.
pub(super) fn put(out: &Path, files: &Files) -> Result<()> {
    ours(out)?;
    let parent = out
        .parent()
        .context("the folder to write into has no parent")?;
    let cannot = || format!("cannot write {}", out.display());
    fs::create_dir_all(parent).with_context(cannot)?;
    let fresh = tempfile::Builder::new()
        .prefix(".export-")
        .permissions(fs::Permissions::from_mode(0o755))
        .tempdir_in(parent)
        .with_context(cannot)?;
    for (path, (bytes, program)) in files {
        let file = fresh.path().join(path);
        let kept = out.join(path);
        let write = || -> std::io::Result<()> {
            fs::create_dir_all(file.parent().unwrap_or(&file))?;
            if path == Path::new("flake.lock") && kept.is_file() {
                fs::copy(&kept, &file)?;
            } else {
                fs::write(&file, bytes)?;
            }
            let mode = if *program { 0o755 } else { 0o644 };
            fs::set_permissions(&file, fs::Permissions::from_mode(mode))
        };
        write().with_context(cannot)?;
    }
    let replace = || -> std::io::Result<()> {
        if out.exists() {
            // Aside first: a run that is cut short leaves a whole export, old or new.
            let old = tempfile::Builder::new()
                .prefix(".export-")
                .tempdir_in(parent)?;
            fs::rename(out, old.path().join("old"))?;
        }
        fs::rename(fresh.keep(), out)
    };
    replace().with_context(cannot)
}

/// Fails when `out` holds anything but an earlier export.
fn ours(out: &Path) -> Result<()> {
    let flake = fs::read_to_string(out.join("flake.nix")).unwrap_or_default();
    let empty = match fs::read_dir(out) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", out.display())),
    };
    if empty || flake.starts_with(MARK) {
        return Ok(());
    }
    Err(anyhow!(
        "{} holds something else than an export",
        out.display()
    ))
    .hint("name another folder with --out; an export replaces all that its folder holds")
}

/// `folder` as a script in `out` names it: relative where both lie in the cluster's
/// folder `dir`, so that the script works for whoever has cloned that.
pub(super) fn seen_from(out: &Path, folder: &Path, dir: &Path) -> Result<String> {
    let plain = |path: &Path| path.components().all(|part| part != Component::ParentDir);
    match (out.strip_prefix(dir), folder.strip_prefix(dir)) {
        (Ok(below), Ok(target)) if plain(below) => {
            let up: PathBuf = below.components().map(|_| "..").collect();
            keys::shell_word(&up.join(target), true)
        }
        _ => keys::shell_word(folder, false),
    }
}
