//! Which system this is, and how a program is got there.

use std::fs;

use qemu::{Arch, search};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Platform {
    /// Debian, and what is made of it.
    Debian,
    NixOs,
    MacOs,
    /// Another Linux, with or without Nix.
    Nix,
    Other,
}

/// A program and its packages: Debian's, nixpkgs', Homebrew's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Program {
    pub(super) name: &'static str,
    /// None where there is no package: then what to do instead.
    debian: Result<&'static str, &'static str>,
    nix: &'static str,
    brew: &'static str,
}

const fn program(
    name: &'static str,
    debian: Result<&'static str, &'static str>,
    nix: &'static str,
    brew: &'static str,
) -> Program {
    Program {
        name,
        debian,
        nix,
        brew,
    }
}

pub(super) const EXPECT: Program = program("expect", Ok("expect"), "expect", "expect");
pub(super) const XORRISO: Program = program("xorriso", Ok("xorriso"), "xorriso", "xorriso");
pub(super) const QEMU_IMG: Program = program("qemu-img", Ok("qemu-utils"), "qemu", "qemu");
pub(super) const KUBECTL: Program = program(
    "kubectl",
    Ok("kubernetes-client"),
    "kubectl",
    "kubernetes-cli",
);
pub(super) const SSH: Program = program("ssh", Ok("openssh-client"), "openssh", "openssh");
pub(super) const HELM: Program = program(
    "helm",
    Err("open https://helm.sh/docs/intro/install"),
    "kubernetes-helm",
    "helm",
);

/// QEMU for guests of `arch`.
pub(super) fn qemu(arch: Arch) -> Program {
    let debian = match arch {
        Arch::X86_64 => "qemu-system-x86",
        Arch::Aarch64 => "qemu-system-arm",
    };
    program(arch.qemu(), Ok(debian), "qemu", "qemu")
}

/// Firmware for guests of `arch`; beside Debian, QEMU brings its own.
pub(super) fn firmware(arch: Arch) -> Program {
    let debian = match arch {
        Arch::X86_64 => "ovmf",
        Arch::Aarch64 => "qemu-efi-aarch64",
    };
    program("firmware", Ok(debian), "qemu", "qemu")
}

impl Platform {
    /// The system that this program runs on.
    pub fn here() -> Self {
        if cfg!(target_os = "macos") {
            return Platform::MacOs;
        }
        let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
        Self::of(&release, search("nix").is_some())
    }

    /// From os-release(5).
    fn of(release: &str, nix: bool) -> Self {
        let words = |field: &str| -> Vec<String> {
            release
                .lines()
                .filter_map(|line| line.strip_prefix(field)?.strip_prefix('='))
                .flat_map(|value| value.trim_matches('"').split(' '))
                .map(ToOwned::to_owned)
                .collect()
        };
        let ids = [words("ID"), words("ID_LIKE")].concat();
        let is = |name: &str| ids.iter().any(|id| id == name);
        if is("nixos") {
            Platform::NixOs
        } else if is("debian") {
            Platform::Debian
        } else if nix {
            Platform::Nix
        } else {
            Platform::Other
        }
    }

    /// The command that gets `program`.
    pub(super) fn install(self, program: Program) -> String {
        match self {
            Platform::Debian => match program.debian {
                Ok(package) => format!("{}apt install {package}", sudo()),
                Err(otherwise) => otherwise.to_owned(),
            },
            Platform::NixOs | Platform::Nix => format!("nix shell nixpkgs#{}", program.nix),
            Platform::MacOs => format!("brew install {}", program.brew),
            Platform::Other => format!("install {} with your system's packages", program.name),
        }
    }

    /// The command that sets the host's clock.
    pub(super) fn set_clock(self) -> String {
        match self {
            Platform::MacOs => "sudo sntp -sS time.apple.com".to_owned(),
            _ => format!("{}timedatectl set-ntp true", sudo()),
        }
    }
}

/// Before what only root may do.
pub(super) fn sudo() -> &'static str {
    if rustix::process::geteuid().is_root() {
        ""
    } else {
        "sudo "
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_a_system_by_its_own_word_or_its_parents() {
        assert_eq!(Platform::of("ID=debian\n", true), Platform::Debian);
        assert_eq!(
            Platform::of("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", false),
            Platform::Debian
        );
        assert_eq!(Platform::of("ID=nixos\n", true), Platform::NixOs);
        assert_eq!(Platform::of("ID=fedora\n", true), Platform::Nix);
        assert_eq!(Platform::of("", false), Platform::Other);
    }

    #[test]
    fn names_the_command_of_each_system() {
        assert!(
            Platform::Debian
                .install(QEMU_IMG)
                .ends_with("apt install qemu-utils")
        );
        assert_eq!(
            Platform::NixOs.install(HELM),
            "nix shell nixpkgs#kubernetes-helm"
        );
        assert_eq!(
            Platform::MacOs.install(KUBECTL),
            "brew install kubernetes-cli"
        );
        assert_eq!(
            Platform::Debian.install(HELM),
            "open https://helm.sh/docs/intro/install"
        );
    }
}
