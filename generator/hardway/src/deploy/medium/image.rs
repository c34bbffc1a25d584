//! An ISO 9660 image, looked into with xorriso.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail};

use common::report::WithHint;
use qemu::search;

/// ISO 9660's primary volume descriptor is in sector 16; its label is 32 bytes at 40.
const DESCRIPTOR: u64 = 16 * 2048;
const LABEL: std::ops::Range<usize> = 40..72;

/// The volume's label. An error if the file is no ISO image.
pub(super) fn label(iso: &Path) -> Result<String> {
    let mut descriptor = [0; LABEL.end];
    let read = File::open(iso)
        .with_context(|| format!("cannot read {}", iso.display()))?
        .read_exact_at(&mut descriptor, DESCRIPTOR);
    if read.is_err() || &descriptor[..6] != b"\x01CD001" {
        return Err(anyhow!("{} is not an ISO image", iso.display()))
            .hint("name NixOS' minimal ISO with --iso PATH");
    }
    Ok(String::from_utf8_lossy(&descriptor[LABEL])
        .trim_end()
        .to_owned())
}

/// The program that looks into images.
pub(super) fn xorriso() -> Result<PathBuf> {
    search("xorriso")
        .ok_or_else(|| anyhow!("xorriso, which reads the medium, is not installed"))
        .hint("Debian: apt install xorriso; Nix: nix profile install nixpkgs#xorriso; Homebrew: brew install xorriso")
}

/// An image and the paths of its files, down to the fourth folder.
pub(super) struct Image<'a> {
    xorriso: &'a Path,
    iso: &'a Path,
    files: Vec<String>,
}

impl<'a> Image<'a> {
    pub(super) fn open(xorriso: &'a Path, iso: &'a Path) -> Result<Self> {
        let listing = run(xorriso, iso, |command| {
            command.args(["-find", "/", "-maxdepth", "4", "-type", "f"])
        })?;
        let files = listing
            .lines()
            .map(|line| line.trim_matches('\'').to_owned())
            .collect();
        Ok(Self {
            xorriso,
            iso,
            files,
        })
    }

    /// The path of a file, whatever its case: EFI/boot before 26.05, EFI/BOOT since.
    pub(super) fn find(&self, path: &str) -> Option<&str> {
        self.files
            .iter()
            .map(String::as_str)
            .find(|found| found.eq_ignore_ascii_case(path))
    }

    /// Copies files out of the image.
    pub(super) fn extract(&self, files: &[(&str, &PathBuf)]) -> Result<()> {
        run(self.xorriso, self.iso, |command| {
            for (from, to) in files {
                command.arg("-extract_single").arg(from).arg(to);
            }
            command
        })
        .map(drop)
    }
}

fn run(
    program: &Path,
    iso: &Path,
    arguments: impl FnOnce(&mut Command) -> &mut Command,
) -> Result<String> {
    let mut command = Command::new(program);
    command.args(["-no_rc", "-abort_on", "FAILURE", "-osirrox", "on", "-indev"]);
    let output = arguments(command.arg(iso))
        .output()
        .with_context(|| format!("cannot run {}", program.display()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let reason = said
            .lines()
            .find(|line| line.contains(": FAILURE :") || line.contains(": FATAL :"))
            .unwrap_or(said.trim());
        bail!("{reason}");
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
