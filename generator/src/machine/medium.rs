//! The live medium that installs a node.

use std::path::PathBuf;

use super::Arch;

/// A medium whose kernel, initrd and kernel command line were read out of its own
/// GRUB configuration.
#[derive(Debug, Clone)]
pub struct Medium {
    pub iso: PathBuf,
    pub kernel: PathBuf,
    pub initrd: PathBuf,
    pub command_line: String,
    pub label: String,
    pub arch: Arch,
}
