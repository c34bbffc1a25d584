//! A machine as QEMU needs to know it. Whoever makes one knows why each value is as it is.

use std::net::Ipv4Addr;

/// What one machine is made of, beside the host's QEMU and the files in its folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineSpec {
    /// Of its folder and its sockets, e.g. `sigma`.
    pub name: String,
    /// What QEMU shows as its name, e.g. `hardway-sigma`.
    pub title: String,
    /// In MiB.
    pub memory: u32,
    pub cpus: u16,
    pub uplink: Uplink,
    /// The second NIC, where there is a segment.
    pub segment: Option<Segment>,
    /// Whether others come first where machines are emulated and processors are few.
    pub yields: bool,
}

/// The first NIC, on QEMU's user-mode network: the internet, and the host at 10.0.2.2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uplink {
    pub mac: String,
    /// What its DHCP server gives; QEMU's own choice without one.
    pub address: Option<Ipv4Addr>,
    pub forwards: Vec<PortForward>,
}

/// A TCP port of the host's 127.0.0.1 that leads to a port of the guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortForward {
    pub host: u16,
    pub guest: u16,
    /// Where a person sets the host's port: for a hint.
    pub setting: String,
}

/// The NIC on the segment, and the machine's place in the star.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    pub mac: String,
    pub place: Place,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// It joins all others.
    Hub(Vec<Spoke>),
    Spoke(Spoke),
}

/// A machine that is joined to the hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spoke {
    pub name: String,
    /// Of its link, where the host's system needs UDP; None where there are no such ports.
    pub ports: Option<LinkPorts>,
    /// Where a person sets the ports: for a hint.
    pub setting: String,
}

/// The UDP ports of 127.0.0.1 at the two ends of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkPorts {
    pub hub: u16,
    pub spoke: u16,
}
