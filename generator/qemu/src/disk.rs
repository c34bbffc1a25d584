//! A node's disk and its UEFI variables, both qcow2: a raw, writable flash could
//! not be part of a snapshot.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};

use super::firmware::Firmware;
use super::{Arch, tool};
use common::file;
use common::report::WithHint;
use common::state::NodePaths;

/// The virt machine's flash is 64 MiB, whatever the template's size (QEMU, hw/arm/virt.c).
const AARCH64_FLASH: u64 = 64 << 20;

/// What a new disk holds.
#[derive(Debug, Clone, Copy)]
pub enum Content<'a> {
    /// Nothing; its size in GiB.
    Empty(u32),
    /// What the image at this path holds, which is relative to the disk's folder, so that
    /// the cluster's folder can be moved. The disk takes room for what is written to it.
    Overlay(&'a Path),
}

/// Makes a disk and fresh variables; what was there is replaced.
pub fn create(
    qemu: &Path,
    arch: Arch,
    firmware: &Firmware,
    paths: &NodePaths,
    content: Content<'_>,
) -> Result<()> {
    paths.create()?;
    let disk = paths.disk();
    remove(&disk)?;
    qemu_img(qemu, creation(&disk, content))
        .with_context(|| format!("cannot make the disk {}", disk.display()))?;
    variables(qemu, arch, firmware, &paths.firmware_variables())
}

/// The program that makes the disk, with its arguments.
pub fn command(qemu: &Path, paths: &NodePaths, content: Content<'_>) -> Result<Vec<OsString>> {
    let mut command = vec![images_program(qemu)?.into()];
    command.extend(creation(&paths.disk(), content));
    Ok(command)
}

fn creation(disk: &Path, content: Content<'_>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = ["create", "-q", "-f", "qcow2"].map(Into::into).into();
    match content {
        Content::Empty(size) => arguments.extend([disk.into(), format!("{size}G").into()]),
        Content::Overlay(base) => {
            arguments.extend(["-F".into(), "qcow2".into(), "-b".into(), base.into()]);
            arguments.push(disk.into());
        }
    }
    arguments
}

/// Writes fresh UEFI variables to `file`, as large as the machine's flash.
pub(super) fn variables(qemu: &Path, arch: Arch, firmware: &Firmware, file: &Path) -> Result<()> {
    remove(file)?;
    let template = firmware.variables.clone().into();
    let (raw, qcow2) = ("raw".into(), "qcow2".into());
    qemu_img(
        qemu,
        [
            "convert".into(),
            "-f".into(),
            raw,
            "-O".into(),
            qcow2,
            template,
            file.into(),
        ],
    )
    .with_context(|| format!("cannot copy {}", firmware.variables.display()))?;
    if arch == Arch::Aarch64 {
        let size = AARCH64_FLASH.to_string().into();
        let qcow2 = "qcow2".into();
        qemu_img(
            qemu,
            [
                "resize".into(),
                "-q".into(),
                "-f".into(),
                qcow2,
                file.into(),
                size,
            ],
        )
        .with_context(|| format!("cannot pad {}", file.display()))?;
    }
    Ok(())
}

/// The firmware's code padded to the size that the machine's flash has, in the
/// cache: aarch64 firmware may be shorter than the flash it goes into.
pub fn padded_code(arch: Arch, firmware: &Firmware) -> Result<PathBuf> {
    let length = fs::metadata(&firmware.code)
        .with_context(|| format!("cannot look at {}", firmware.code.display()))?
        .len();
    if arch == Arch::X86_64 || length == AARCH64_FLASH {
        return Ok(firmware.code.clone());
    }
    if length > AARCH64_FLASH {
        bail!(
            "{} has {length} bytes, more than the {AARCH64_FLASH} of the virt machine's flash",
            firmware.code.display()
        );
    }
    let mut bytes = fs::read(&firmware.code)
        .with_context(|| format!("cannot read {}", firmware.code.display()))?;
    let name = common::file::content_name(&bytes);
    bytes.resize(usize::try_from(AARCH64_FLASH)?, 0);
    let folder = common::state::cache_folder().context("no home folder for the cache")?;
    let padded = folder.join(format!("aarch64-firmware-{name}.fd"));
    if !padded.is_file() {
        file::replace(&padded, &bytes, file::PRIVATE)?;
    }
    Ok(padded)
}

fn remove(file: &Path) -> Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot replace {}", file.display()))
        }
        _ => Ok(()),
    }
}

/// Room for this user in the file system of `folder`, in bytes.
pub fn room(folder: &Path) -> Result<u64> {
    let found = rustix::fs::statvfs(folder)
        .with_context(|| format!("cannot ask for the free space of {}", folder.display()))?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

/// Runs the `qemu-img` beside this QEMU, or the one on the PATH.
pub(super) fn qemu_img(
    qemu: &Path,
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<String> {
    tool::ask(&images_program(qemu)?, arguments)
}

/// The `qemu-img` beside this QEMU, or the one on the PATH.
pub(super) fn images_program(qemu: &Path) -> Result<PathBuf> {
    Some(qemu.with_file_name("qemu-img"))
        .filter(|path| path.is_file())
        .or_else(|| tool::search("qemu-img"))
        .ok_or_else(|| anyhow!("qemu-img is not installed"))
        .hint("Debian: apt install qemu-utils; Nix: nix profile install nixpkgs#qemu; Homebrew: brew install qemu")
}
