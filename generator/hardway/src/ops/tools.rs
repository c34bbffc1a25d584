//! Programs of others that a verb needs: found on PATH, or the package that has them.

use std::path::PathBuf;

use anyhow::{Result, anyhow};
use rustix::fs::{Access, access};

use common::report::WithHint;

/// The program on PATH; without it an error that names the packages to install.
pub fn find(program: &str, purpose: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file() && access(file, Access::EXEC_OK).is_ok())
        .ok_or_else(|| anyhow!("{program} is not installed: {purpose}"))
        .hint(packages(program))
}

fn packages(program: &str) -> String {
    match program {
        "helm" => "Debian: no package of its own, see https://helm.sh/docs/intro/install; \
                   Nix: nix shell nixpkgs#kubernetes-helm; Homebrew: brew install helm"
            .to_owned(),
        "kubectl" => "Debian: scripts/rehearse builds one, or apt install kubernetes-client; \
                      Nix: nix shell nixpkgs#kubectl; Homebrew: brew install kubernetes-cli"
            .to_owned(),
        "ssh" => "Debian: apt install openssh-client; Nix: nix shell nixpkgs#openssh; \
                  Homebrew: brew install openssh"
            .to_owned(),
        other => format!("install {other} with your system's packages"),
    }
}
