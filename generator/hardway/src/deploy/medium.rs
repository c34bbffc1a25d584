//! The live medium that installs a node: any ISO in the shape of NixOS' own.
//!
//! Its kernel is booted directly, with a console on the serial port that its menu
//! does not ask for; so the kernel, the initrd and the arguments are read out of
//! that menu, and kept in the cache under the SHA-256 of the whole medium.

mod image;
mod menu;

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use common::report::WithHint;
use image::Image;
use qemu::Arch;
use qemu::argv::Live;

/// On a medium that holds all that it installs, and so needs no network: the
/// rehearsal's. NixOS' own has no such file.
const SELF_CONTAINED: &str = "/hardway-self-contained";

/// A medium whose kernel, initrd and kernel command line were read out of its own
/// GRUB configuration.
#[derive(Debug, Clone)]
pub struct Medium {
    /// Absolute.
    pub iso: PathBuf,
    /// A copy in the cache, like `initrd`.
    pub kernel: PathBuf,
    pub initrd: PathBuf,
    /// The menu's, with the console on the serial port.
    pub command_line: String,
    /// The volume's, e.g. `nixos-minimal-26.05-x86_64`.
    pub label: String,
    pub arch: Arch,
    /// Of the whole file, hexadecimal.
    pub sha256: String,
    /// Whether it holds the packages that it installs.
    pub self_contained: bool,
}

/// What is remembered of a medium beside its kernel and initrd.
#[derive(Debug, Serialize, Deserialize)]
struct Facts {
    label: String,
    arch: Arch,
    command_line: String,
    self_contained: bool,
}

impl Medium {
    /// Reads the medium, or what an earlier run read out of the same bytes.
    pub fn open(iso: &Path) -> Result<Self> {
        let iso = fs::canonicalize(iso)
            .with_context(|| format!("cannot open the medium {}", iso.display()))
            .hint("name NixOS' minimal ISO with --iso PATH")?;
        let cache = cache()?;
        let label = image::label(&iso)?;
        let sha256 = digest(&iso)?;
        let folder = cache.join(&sha256[..32]);
        let facts = match remembered(&folder) {
            Some(facts) => facts,
            None => extract(&image::xorriso()?, &iso, label, &cache, &folder)
                .with_context(|| format!("{} is not a NixOS live medium", iso.display()))
                .hint("name NixOS' minimal ISO with --iso PATH")?,
        };
        Ok(Self {
            kernel: folder.join("kernel"),
            initrd: folder.join("initrd"),
            iso,
            command_line: facts.command_line,
            label: facts.label,
            arch: facts.arch,
            sha256,
            self_contained: facts.self_contained,
        })
    }
}

impl Medium {
    /// What QEMU needs of it.
    pub fn live(&self) -> Live {
        Live {
            iso: self.iso.clone(),
            kernel: self.kernel.clone(),
            initrd: self.initrd.clone(),
            command_line: self.command_line.clone(),
        }
    }
}

/// Where what was read out of media is kept.
fn cache() -> Result<PathBuf> {
    let cache = common::state::cache_folder()
        .context("no home folder for the cache")
        .hint("set XDG_CACHE_HOME to a folder that you may write to")?
        .join("medium");
    fs::create_dir_all(&cache).with_context(|| format!("cannot make {}", cache.display()))?;
    Ok(cache)
}

fn remembered(folder: &Path) -> Option<Facts> {
    let text = fs::read_to_string(folder.join("medium.json")).ok()?;
    serde_json::from_str(&text).ok()
}

/// Fills `folder` with the kernel, the initrd and medium.json, all at once.
fn extract(
    xorriso: &Path,
    iso: &Path,
    label: String,
    cache: &Path,
    folder: &Path,
) -> Result<Facts> {
    let image = Image::open(xorriso, iso)?;
    let menu_path = image
        .find("/EFI/BOOT/grub.cfg")
        .or_else(|| image.find("/boot/grub/grub.cfg"))
        .ok_or_else(|| anyhow!("it has neither /EFI/BOOT/grub.cfg nor /boot/grub/grub.cfg"))?;
    let arch = match (
        image.find("/EFI/BOOT/BOOTX64.EFI"),
        image.find("/EFI/BOOT/BOOTAA64.EFI"),
    ) {
        (Some(_), _) => Arch::X86_64,
        (None, Some(_)) => Arch::Aarch64,
        (None, None) => {
            return Err(anyhow!(
                "it has neither /EFI/BOOT/BOOTX64.EFI nor /EFI/BOOT/BOOTAA64.EFI"
            ));
        }
    };
    let partial =
        tempfile::tempdir_in(cache).with_context(|| format!("cannot write {}", cache.display()))?;
    image.extract(&[(menu_path, &partial.path().join("grub.cfg"))])?;
    let menu = fs::read(partial.path().join("grub.cfg"))?;
    let entry = menu::first_entry(&String::from_utf8_lossy(&menu))
        .with_context(|| format!("cannot use its menu {menu_path}"))?;
    image.extract(&[
        (&entry.kernel, &partial.path().join("kernel")),
        (&entry.initrd, &partial.path().join("initrd")),
    ])?;
    let console = match arch {
        Arch::X86_64 => "ttyS0",
        Arch::Aarch64 => "ttyAMA0",
    };
    let facts = Facts {
        label,
        arch,
        // The later loglevel wins: the kernel's first line is the installer's first sign of life.
        command_line: format!("{} loglevel=6 console={console},115200n8", entry.arguments),
        self_contained: image.find(SELF_CONTAINED).is_some(),
    };
    fs::write(
        partial.path().join("medium.json"),
        serde_json::to_string_pretty(&facts)?,
    )?;
    match fs::rename(partial.path(), folder) {
        // Another run was quicker; it wrote the same.
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists
            ) => {}
        other => other.with_context(|| format!("cannot write {}", folder.display()))?,
    }
    Ok(facts)
}

/// The SHA-256 of a large file. Remembered for the same file, unchanged: the same
/// path, inode, size and time of change to the nanosecond.
pub(crate) fn digest(iso: &Path) -> Result<String> {
    let cache = cache()?;
    let cannot = || format!("cannot read {}", iso.display());
    let found = fs::metadata(iso).with_context(cannot)?;
    let mut identity = Sha256::new();
    identity.update(iso.as_os_str().as_encoded_bytes());
    for number in [
        found.ino().cast_signed(),
        found.size().cast_signed(),
        found.ctime(),
        found.ctime_nsec(),
    ] {
        identity.update(number.to_le_bytes());
    }
    let note = cache.join(format!(
        "{}.sha256",
        hex::encode(&identity.finalize()[..16])
    ));
    if let Ok(known) = fs::read_to_string(&note)
        && known.len() == 64
    {
        return Ok(known);
    }
    let mut hash = Sha256::new();
    let mut file = fs::File::open(iso).with_context(cannot)?;
    std::io::copy(&mut file, &mut hash).with_context(cannot)?;
    let digest = hex::encode(hash.finalize());
    fs::write(&note, &digest).with_context(|| format!("cannot write {}", note.display()))?;
    Ok(digest)
}
