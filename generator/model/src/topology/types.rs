//! The typed topology. A value of these types has passed every check of its own;
//! the checks between values (clashes) have passed for a whole [`Topology`].

use std::fmt;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use ipnet::Ipv4Net;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::authority::Authority;
use crate::tables::Versions;

/// A whole cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Topology {
    /// The cluster's name: a DNS label; names kubeconfig contexts.
    pub name: String,
    /// Kubernetes' `major.minor`, e.g. `1.36`: what the flags were checked against.
    pub kubernetes_version: String,
    /// The programs' `major.minor` that go with it.
    pub versions: Versions,
    /// The DNS domain of Services, `cluster.local` by default.
    pub domain: String,
    pub cni: Cni,
    pub network: Network,
    /// The TCP port of the API server on the host's 127.0.0.1.
    pub api_port: u16,
    /// Whose keys are not on this host, sorted: what they sign comes from elsewhere.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub external_authorities: Vec<Authority>,
    /// Sorted by name; at least one control plane and one worker.
    pub nodes: Vec<Node>,
}

/// Which program gives Pods their network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Cni {
    /// Cilium, installed by Helm; it also takes kube-proxy's place.
    #[default]
    Cilium,
    /// The CNI project's bridge plugin, static routes and kube-proxy.
    Bridge,
}

/// How guests reach each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum NetworkMode {
    /// A second NIC joins the guests in one rootless layer-2 segment.
    #[default]
    Segment,
    /// User-mode NICs only: nodes reach each other through the host's forwards.
    User,
}

/// How a cluster's nodes are joined to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Joined {
    /// Guests, by the segment.
    Segment,
    /// Guests, through the host's forwards.
    User,
    /// Machines of the user's own, on the user's own network.
    Machines,
}

/// Address ranges; none overlaps another or QEMU's own 10.0.2.0/24.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Network {
    pub mode: NetworkMode,
    /// Where Pods' addresses come from; each node owns one /24 of it.
    pub pods: Ipv4Net,
    /// Where Services' addresses come from.
    pub services: Ipv4Net,
    /// The layer-2 segment between the nodes.
    pub segment: Ipv4Net,
}

/// What a node runs.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    ControlPlane,
    Worker,
}

impl fmt::Display for Role {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Role::ControlPlane => "control-plane",
            Role::Worker => "worker",
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Node {
    pub name: NodeName,
    pub role: Role,
    /// The address on the segment: the node's InternalIP.
    pub address: Ipv4Addr,
    /// The /24 of the pod range that this node owns.
    pub pod_cidr: Ipv4Net,
    pub machine: Machine,
    /// The user's own NixOS modules, absolute paths of existing files.
    pub modules: Vec<PathBuf>,
}

/// What a node runs on. All nodes of a cluster run on the same kind: the segment that
/// joins guests ends at this host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Machine {
    Guest(Guest),
    Remote(Remote),
}

/// A virtual machine of this host's QEMU.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Guest {
    /// Memory in MiB.
    pub memory: u32,
    pub cpus: u16,
    /// Size of the disk in GiB.
    pub disk: u32,
    pub uplink_mac: MacAddress,
    pub segment_mac: MacAddress,
    /// The TCP port of the host's 127.0.0.1 that leads to its sshd.
    pub ssh_port: u16,
    /// Further TCP ports forwarded from the host's 127.0.0.1 to this guest.
    pub forwards: Vec<Forward>,
}

/// From a node's ssh port to the UDP port of the hub's end of its link.
const SEGMENT_HUB_OFFSET: u16 = 5000;

/// The UDP ports of 127.0.0.1 at which the two ends of a node's link to the segment's hub
/// listen, where the host's system needs UDP for it (macOS).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentPorts {
    /// The number of its ssh port, which is TCP.
    pub node: u16,
    /// 5000 more.
    pub hub: u16,
}

impl SegmentPorts {
    /// `None` where the hub's would be no port.
    pub fn of(ssh_port: u16) -> Option<Self> {
        let hub = ssh_port.checked_add(SEGMENT_HUB_OFFSET)?;
        Some(Self {
            node: ssh_port,
            hub,
        })
    }
}

/// A machine of the user's own, with an address and a network of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Remote {
    pub ssh: SshTarget,
    /// The network interface that has the node's address.
    pub interface: Option<InterfaceName>,
}

/// Whom and where ssh is to reach, e.g. `root@192.0.2.10`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SshTarget {
    pub user: String,
    /// A host name, an address, or a name of ~/.ssh/config.
    pub host: String,
}

impl SshTarget {
    /// Reads `user@host`; the error says what is wrong with `text`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (user, host) = text.split_once('@').unwrap_or(("root", text));
        let word = |part: &str, also: &str| {
            !part.is_empty()
                && !part.starts_with('-')
                && part
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || also.contains(c))
        };
        if !word(user, "_-.") {
            return Err(format!("{user:?} is not a user's name"));
        }
        if !word(host, "_-.:") {
            return Err(format!("{host:?} is neither a host's name nor an address"));
        }
        Ok(Self {
            user: user.to_owned(),
            host: host.to_owned(),
        })
    }
}

impl fmt::Display for SshTarget {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}@{}", self.user, self.host)
    }
}

/// A Linux network interface's name: at most 15 characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InterfaceName(String);

impl InterfaceName {
    /// The error says what is wrong with `text`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fits = (1..=15).contains(&text.len())
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
        if fits {
            return Ok(Self(text.to_owned()));
        }
        Err(format!("{text:?} is not the name of a network interface"))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Node {
    /// The virtual machine, where it is one.
    pub fn guest(&self) -> Option<&Guest> {
        match &self.machine {
            Machine::Guest(guest) => Some(guest),
            Machine::Remote(_) => None,
        }
    }

    /// The user's own machine, where it is one.
    pub fn remote(&self) -> Option<&Remote> {
        match &self.machine {
            Machine::Guest(_) => None,
            Machine::Remote(remote) => Some(remote),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Forward {
    pub host: u16,
    pub guest: u16,
}

/// A node's name: a DNS label (RFC 1123), at most 63 of `a-z`, `0-9` and `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct NodeName(String);

impl TryFrom<String> for NodeName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl NodeName {
    /// Errors say in words what is wrong with `text`.
    pub fn parse(text: &str) -> Result<Self, String> {
        dns_label(text).map(|()| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for NodeName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// Checks a DNS label as RFC 1123 has it; the error says what is wrong.
pub(super) fn dns_label(text: &str) -> Result<(), String> {
    if text.is_empty() || text.len() > 63 {
        return Err(format!(
            "a DNS label has 1 to 63 characters, this has {}",
            text.len()
        ));
    }
    if let Some(bad) = text
        .chars()
        .find(|c| !(c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-'))
    {
        return Err(format!(
            "a DNS label has only a-z, 0-9 and -, this has {bad:?}"
        ));
    }
    if text.starts_with('-') || text.ends_with('-') {
        return Err("a DNS label neither begins nor ends with -".to_owned());
    }
    Ok(())
}

/// A unicast MAC address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MacAddress(pub [u8; 6]);

impl MacAddress {
    /// Reads `52:54:00:f0:00:15`; the error says what is wrong with `text`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let octets: Vec<u8> = text
            .split(':')
            .filter(|part| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .filter_map(|part| u8::from_str_radix(part, 16).ok())
            .collect();
        let octets: [u8; 6] = octets
            .try_into()
            .ok()
            .filter(|_| text.len() == 17)
            .ok_or_else(|| format!("{text:?} is not six pairs of hexadecimal digits"))?;
        if octets[0] & 1 == 1 {
            return Err(format!("{text} is a multicast address, no machine's own"));
        }
        if octets == [0; 6] {
            return Err(format!("{text} is no machine's address"));
        }
        Ok(Self(octets))
    }

    /// A locally administered address under QEMU's prefix, `52:54:<net>` and the
    /// last three octets of `address`.
    pub fn derived(net: u8, address: Ipv4Addr) -> Self {
        let [_, b, c, d] = address.octets();
        Self([0x52, 0x54, net, b, c, d])
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, f] = self.0;
        write!(out, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
    }
}

impl Serialize for MacAddress {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Topology {
    pub fn control_planes(&self) -> impl Iterator<Item = &Node> {
        self.nodes
            .iter()
            .filter(|node| node.role == Role::ControlPlane)
    }

    pub fn workers(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(|node| node.role == Role::Worker)
    }

    /// Whether the key of `authority` is not on this host.
    pub fn is_external(&self, authority: Authority) -> bool {
        self.external_authorities.contains(&authority)
    }

    /// A node that is a machine of the user's own, if the cluster's are.
    pub fn remote(&self) -> Option<&Node> {
        self.nodes.iter().find(|node| node.remote().is_some())
    }

    /// How the nodes are joined: machines of the user's own have no mode.
    pub fn joined(&self) -> Joined {
        match (self.remote(), self.network.mode) {
            (Some(_), _) => Joined::Machines,
            (None, NetworkMode::Segment) => Joined::Segment,
            (None, NetworkMode::User) => Joined::User,
        }
    }

    pub fn node(&self, name: &str) -> Option<&Node> {
        self.nodes.iter().find(|node| node.name.as_str() == name)
    }

    /// The `n`-th address of the service range: 1 is the API server's, 10 is DNS'.
    pub fn service_address(&self, n: u32) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.network.services.network()) + n)
    }
}
