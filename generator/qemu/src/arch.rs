//! The two processor architectures that a guest can have.

use std::fmt;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::Accelerator;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ValueEnum)]
pub enum Arch {
    #[serde(rename = "x86_64")]
    #[value(name = "x86_64", alias = "amd64")]
    X86_64,
    #[serde(rename = "aarch64")]
    #[value(name = "aarch64", alias = "arm64")]
    Aarch64,
}

impl Arch {
    /// The architecture of this host.
    pub fn native() -> Self {
        if cfg!(target_arch = "aarch64") {
            Arch::Aarch64
        } else {
            Arch::X86_64
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Arch::X86_64 => "x86_64",
            Arch::Aarch64 => "aarch64",
        }
    }

    /// Nix' name of a Linux system, which the flake's attributes end with.
    pub fn nix_system(self) -> &'static str {
        match self {
            Arch::X86_64 => "x86_64-linux",
            Arch::Aarch64 => "aarch64-linux",
        }
    }

    pub fn qemu(self) -> &'static str {
        match self {
            Arch::X86_64 => "qemu-system-x86_64",
            Arch::Aarch64 => "qemu-system-aarch64",
        }
    }

    /// QEMU's machine, without a version.
    pub fn machine(self) -> &'static str {
        match self {
            Arch::X86_64 => "q35",
            Arch::Aarch64 => "virt",
        }
    }

    /// The guests' processor: the host's own where it runs them.
    pub(super) fn cpu(self, accelerator: Accelerator) -> &'static str {
        match accelerator {
            Accelerator::Tcg => self.emulated_cpu(),
            Accelerator::Kvm | Accelerator::Hvf => "host",
        }
    }

    /// The CPU model under emulation. Most of an arm64 guest's time would go into
    /// pointer authentication by the architected algorithm; QEMU has a cheap one.
    fn emulated_cpu(self) -> &'static str {
        match self {
            // Emulated, `rep movsb` is a loop over single bytes, and a fifth level of page
            // tables a longer way: a guest that is offered neither does without.
            Arch::X86_64 => "max,erms=off,fsrm=off,la57=off",
            Arch::Aarch64 => "max,pauth-impdef=on",
        }
    }

    /// The kernel's name of the first serial port.
    pub fn serial(self) -> &'static str {
        match self {
            Arch::X86_64 => "ttyS0",
            Arch::Aarch64 => "ttyAMA0",
        }
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}
