//! `--iso flake`: the installer configuration of the cluster's own flake, built by Nix.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, anyhow, bail};

use crate::render::template;
use common::report::WithHint;
use qemu::{Arch, search};

/// Builds `installer-<arch>` of the flake in `dir` and gives the ISO in its output.
/// `os`: this machine's, as Rust names it.
pub(super) fn build(dir: &Path, arch: Arch, os: &str) -> Result<PathBuf> {
    if os != "linux" {
        return Err(anyhow!(
            "--iso flake builds a Linux system, and {os} does so with a Linux builder only"
        ))
        .hint("leave --iso out: NixOS' own medium is downloaded; or name one with --iso PATH");
    }
    if !dir.join("flake.nix").is_file() {
        bail!(
            "there is no flake.nix in {} to build a medium of",
            dir.display()
        );
    }
    if template::unfilled(dir) {
        return Err(anyhow!(
            "{} has OWNER in inputs.hardway.url still, so Nix cannot evaluate it",
            dir.join("flake.nix").display()
        ))
        .hint(template::hint(dir));
    }
    let nix = search("nix").context("nix is not installed")?;
    let attribute = format!(
        "{}#nixosConfigurations.installer-{arch}.config.system.build.isoImage",
        dir.display()
    );
    let output = Command::new(nix)
        .args(["--extra-experimental-features", "nix-command flakes"])
        .args(["build", "--no-link", "--print-out-paths", &attribute])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run nix")?;
    if !output.status.success() {
        bail!("cannot build {attribute}: nix failed ({})", output.status);
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let built = Path::new(text.trim());
    image(built).with_context(|| format!("{} holds no ISO", built.display()))
}

/// NixOS' `isoImage` is a folder with the image in `iso/`.
fn image(built: &Path) -> Result<PathBuf> {
    let folder = built.join("iso");
    let mut images: Vec<PathBuf> = fs::read_dir(&folder)
        .with_context(|| format!("cannot read {}", folder.display()))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|end| end == "iso"))
        .collect();
    images.sort();
    images
        .into_iter()
        .next()
        .with_context(|| format!("no *.iso in {}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::report::render;

    #[test]
    fn macos_is_told_that_a_builder_is_missing() {
        let error = build(Path::new("/"), Arch::Aarch64, "macos").unwrap_err();
        assert_eq!(
            render(&error),
            "error: --iso flake builds a Linux system, and macos does so with a Linux builder only\n\
             hint: leave --iso out: NixOS' own medium is downloaded; or name one with --iso PATH\n"
        );
    }
}
