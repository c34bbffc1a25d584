//! A node's disk and its UEFI variables, both qcow2: a raw, writable flash could
//! not be part of a snapshot.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, bail};

use super::Arch;
use super::firmware::Firmware;
use crate::report::WithHint;
use crate::state::NodePaths;
use crate::topology::Node;

/// The virt machine's flash is 64 MiB, whatever the template's size (QEMU, hw/arm/virt.c).
const AARCH64_FLASH: u64 = 64 << 20;

/// Makes an empty disk and fresh variables; what was there is replaced.
pub fn create(
    qemu: &Path,
    arch: Arch,
    firmware: &Firmware,
    node: &Node,
    paths: &NodePaths,
) -> Result<()> {
    paths.create()?;
    let disk = paths.disk();
    remove(&disk)?;
    qemu_img(qemu, |command| {
        command
            .args(["create", "-q", "-f", "qcow2"])
            .arg(&disk)
            .arg(format!("{}G", node.machine.disk))
    })
    .with_context(|| format!("cannot make {}'s disk {}", node.name, disk.display()))?;

    let variables = paths.firmware_variables();
    remove(&variables)?;
    qemu_img(qemu, |command| {
        command
            .args(["convert", "-f", "raw", "-O", "qcow2"])
            .arg(&firmware.variables)
            .arg(&variables)
    })
    .with_context(|| format!("cannot copy {}", firmware.variables.display()))?;
    if arch == Arch::Aarch64 {
        resize(qemu, &variables)?;
    }
    Ok(())
}

fn resize(qemu: &Path, variables: &Path) -> Result<()> {
    qemu_img(qemu, |command| {
        command
            .args(["resize", "-q", "-f", "qcow2"])
            .arg(variables)
            .arg(AARCH64_FLASH.to_string())
    })
    .with_context(|| format!("cannot pad {}", variables.display()))?;
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
    let name = super::content_name(&bytes);
    bytes.resize(usize::try_from(AARCH64_FLASH)?, 0);
    let folder = super::cache_folder().context("no home folder for the cache")?;
    let padded = folder.join(format!("aarch64-firmware-{name}.fd"));
    if !padded.is_file() {
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let partial = tempfile::NamedTempFile::new_in(&folder)?;
        fs::write(partial.path(), bytes)?;
        partial.persist(&padded)?;
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

/// Runs the `qemu-img` beside this QEMU, or the one on the PATH.
fn qemu_img(qemu: &Path, arguments: impl FnOnce(&mut Command) -> &mut Command) -> Result<Output> {
    let beside = qemu.with_file_name("qemu-img");
    let program = if beside.is_file() {
        beside
    } else {
        "qemu-img".into()
    };
    let mut command = Command::new(&program);
    let output = arguments(&mut command)
        .output()
        .with_context(|| format!("cannot run {}", program.display()))
        .hint("install it: Debian: apt install qemu-utils; Nix: nix profile install nixpkgs#qemu; Homebrew: brew install qemu")?;
    if !output.status.success() {
        bail!(
            "qemu-img: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(output)
}
