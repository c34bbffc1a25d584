//! One virtual machine, from a [`MachineSpec`]: which QEMU, which accelerator, which
//! firmware; its command line, disks, life and network. Not here: what a cluster is, and
//! what is installed on a machine.

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
mod spec;
mod tool;

pub use accelerator::Accelerator;
pub use arch::Arch;
pub use argument::words;
pub use firmware::Firmware;
pub use host::{Host, HostOptions, Parts};
pub use platform::Platform;
pub use spec::{LinkPorts, MachineSpec, Place, PortForward, Segment, Spoke, Uplink};
pub use tool::search;
