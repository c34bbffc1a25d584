//! Where the live medium comes from when nobody names one: NixOS' own minimal ISO,
//! downloaded once, checked against its published SHA-256, and remembered in
//! medium.lock.json, so that a colleague installs from the same bytes.

mod channel;
mod download;
mod flake;
mod lock_file;
mod remote;
mod transfer;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result, anyhow};
use serde::Serialize;

pub use channel::DEFAULT as DEFAULT_CHANNEL;
use lock_file::{LockFile, Pin};

use crate::deploy::medium;
use common::report::{Hint, WithHint};
use common::state::Paths;
use qemu::Arch;

/// What to do where nothing can be downloaded.
const OR_ELSE: &str =
    "name a medium that you have with --iso PATH, or a mirror of the channel with --channel URL";

/// A person's own choice of a medium: what follows `--iso`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Iso {
    Path(PathBuf),
    /// The installer configuration of the flake in the cluster's folder, built by Nix.
    Flake,
}

impl From<OsString> for Iso {
    /// `flake` is the flake's; a file of that name is `./flake`.
    fn from(word: OsString) -> Self {
        if word == "flake" {
            return Self::Flake;
        }
        Self::Path(word.into())
    }
}

/// Which medium is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    pub arch: Arch,
    pub iso: Option<&'a Iso>,
    /// A mirror's folder instead of the default channel's.
    pub channel: Option<&'a str>,
    /// Take no network; the cache or nothing.
    pub offline: bool,
    /// Take the channel's latest whatever medium.lock.json pins.
    pub update: bool,
}

/// Who waits: hears what happens, and may have enough of it.
#[derive(Clone, Copy)]
pub struct Listener<'a> {
    /// A line for the user.
    pub say: &'a dyn Fn(&str),
    pub cancelled: &'a AtomicBool,
}

/// A medium on this machine, and where it came from.
#[derive(Debug, Clone, Serialize)]
pub struct Found {
    pub path: PathBuf,
    pub arch: Arch,
    /// What medium.lock.json says of it; None for one that a person chose.
    #[serde(flatten)]
    pub pin: Option<Pin>,
}

/// Finds the medium, and downloads or builds it where it is not there yet.
pub fn find(paths: &Paths, wanted: &Wanted<'_>, listener: Listener<'_>) -> Result<Found> {
    let chosen = |path| Found {
        path,
        arch: wanted.arch,
        pin: None,
    };
    match wanted.iso {
        Some(Iso::Path(path)) => Ok(chosen(path.clone())),
        Some(Iso::Flake) => flake::build(&paths.dir, wanted.arch, std::env::consts::OS)
            .map(chosen)
            .hint("name a medium with --iso PATH; without --iso, NixOS' own is downloaded"),
        None => official(paths, wanted, listener),
    }
}

/// What [`find`] would find: where the medium is, or in words how it would come here.
pub fn look(paths: &Paths, wanted: &Wanted<'_>) -> Result<Result<PathBuf, String>> {
    let pin = match wanted.iso {
        Some(Iso::Path(path)) => return Ok(Ok(path.clone())),
        Some(Iso::Flake) => {
            let dir = paths.dir.display();
            return Ok(Err(format!("build the installer of the flake in {dir}")));
        }
        None => LockFile::read(&paths.medium_lock())?
            .get(wanted.arch)
            .cloned(),
    };
    if let Some(pin) = &pin {
        let path = cache()?.join(format!("{}.iso", pin.sha256));
        if path.is_file() && medium::digest(&path)? == pin.sha256.as_str() {
            return Ok(Ok(path));
        }
    }
    if wanted.offline {
        return Err(not_here(wanted.arch));
    }
    Ok(Err(match (pin, wanted.channel) {
        (Some(pin), None) => format!("download {}", pin.url),
        (Some(pin), Some(channel)) => format!("download {} from {channel}", pin.release),
        (None, channel) => format!(
            "download the newest medium of {}, and pin it in {}",
            channel.unwrap_or(DEFAULT_CHANNEL),
            paths.medium_lock().display()
        ),
    }))
}

fn not_here(arch: Arch) -> anyhow::Error {
    anyhow!("the {arch} medium is not in the cache").context(Hint(
        "name one that you have with --iso PATH, or leave --offline out".to_owned(),
    ))
}

/// NixOS' own medium, the one that medium.lock.json pins; pins the channel's latest
/// where there is no pin yet.
fn official(paths: &Paths, wanted: &Wanted<'_>, listener: Listener<'_>) -> Result<Found> {
    let folder = cache()?;
    let mut lock = LockFile::read(&paths.medium_lock())?;
    let known = lock.get(wanted.arch).filter(|_| !wanted.update).cloned();
    if let Some(pin) = &known
        && let Some(path) = cached(&folder, pin, listener)?
    {
        return Ok(found(path, wanted.arch, known));
    }
    if wanted.offline {
        return Err(not_here(wanted.arch));
    }
    let pin = match (&known, wanted.channel) {
        // The pin's own address, not the channel's: that moves on.
        (Some(pin), None) => pin.clone(),
        (_, channel) => {
            let channel = channel.unwrap_or(DEFAULT_CHANNEL);
            let latest = channel::latest(channel, wanted.arch, listener)?;
            if let Some(pin) = &known {
                same_bytes(pin, &latest, channel)?;
            }
            latest
        }
    };
    let path = match cached(&folder, &pin, listener)? {
        Some(path) => path,
        None => download::download(&pin, &folder, listener)?,
    };
    if known.is_none() {
        lock.set(wanted.arch, pin.clone());
        lock.write(&paths.medium_lock())?;
    }
    Ok(found(path, wanted.arch, Some(pin)))
}

fn found(path: PathBuf, arch: Arch, pin: Option<Pin>) -> Found {
    Found { path, arch, pin }
}

/// A mirror may be behind, or ahead: what it has must be what is pinned.
fn same_bytes(pin: &Pin, latest: &Pin, channel: &str) -> Result<()> {
    if pin.sha256 == latest.sha256 {
        return Ok(());
    }
    Err(anyhow!(
        "{channel} has another medium than medium.lock.json pins:\n  pinned  {} {}\n  channel {} {}",
        pin.sha256,
        pin.release,
        latest.sha256,
        latest.release
    ))
    .hint("`hardway medium --update` pins the channel's; without --channel the pinned one is downloaded")
}

/// The folder of downloaded media.
fn cache() -> Result<PathBuf> {
    let folder = common::state::cache_folder()
        .context("no home folder for the cache")
        .hint("set XDG_CACHE_HOME to a folder that you may write to")?
        .join("media");
    fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make {}", folder.display()))
        .hint("set XDG_CACHE_HOME to a folder that you may write to")?;
    Ok(folder)
}

/// The medium in the cache, if it is there and still has the bytes that it is named after.
fn cached(folder: &Path, pin: &Pin, listener: Listener<'_>) -> Result<Option<PathBuf>> {
    let path = folder.join(format!("{}.iso", pin.sha256));
    if !path.is_file() {
        return Ok(None);
    }
    if medium::digest(&path)? == pin.sha256.as_str() {
        return Ok(Some(path));
    }
    (listener.say)(&format!(
        "warning: {} has changed since it was downloaded; it is removed",
        path.display()
    ));
    fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
    Ok(None)
}
