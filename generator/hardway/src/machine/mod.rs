//! Virtual machines: which QEMU, which accelerator, which firmware; its command
//! line and its life. Not here: what is installed on one (`deploy`).

use anyhow::{Result, anyhow};

use common::report::WithHint;
use model::topology::{Guest, Node};

mod accelerator;
pub mod agent;
mod arch;
mod argument;
pub mod argv;
pub mod capture;
mod channel;
pub mod disk;
mod firmware;
mod host;
pub mod images;
pub mod movement;
mod platform;
mod port;
pub mod process;
pub mod qmp;
pub mod segment;
mod tool;

pub use accelerator::Accelerator;
pub use arch::Arch;
pub(crate) use argument::words;
pub use firmware::Firmware;
pub use host::{Host, HostOptions, Parts};
pub use platform::Platform;
pub(crate) use tool::search;

/// The virtual machine of `node`; an error where it is one of the user's own.
pub(crate) fn guest(node: &Node) -> Result<&Guest> {
    node.guest()
        .ok_or_else(|| {
            anyhow!(
                "{0} is a machine of your own (nodes.{0}.machine in cluster.json), not a virtual one",
                node.name
            )
        })
        .hint("`hardway export nixos-anywhere` writes what installs it, see docs/real-machines.md")
}
