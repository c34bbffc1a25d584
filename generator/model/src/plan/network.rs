//! Addresses, routes, the firewall and the kernel's part of networking.
//!
//! Each guest has `uplink0`, QEMU's user-mode NIC (internet, forwards from the
//! host) and, in segment mode, `segment0`, over which the nodes talk. A machine of
//! the user's own has the network that the user gives it; of that only the nodes'
//! addresses are ours to know, and maybe the interface that has them.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::ssh;
use crate::topology::{
    Cni, Guest, Joined, KUBELET_PORT, Machine, NetworkMode, Node, NodeName, Role, Topology,
    user_mode_kubelet_ports,
};

/// Where the API server listens on its node, unless user mode moves it.
const API_SECURE_PORT: u16 = 6443;
/// Where Cilium's agents ask after each other.
pub(super) const CILIUM_HEALTH_PORT: u16 = 4240;

/// The host, as a guest of QEMU's user-mode network sees it (QEMU's manual, `-netdev user`).
const SLIRP_HOST: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);
/// Its name server, and the range that holds both.
const SLIRP_DNS: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 3);
const SLIRP_RANGE: &str = "10.0.2.0/24";
/// The address that it gives its first guest.
const SLIRP_FIRST_GUEST: u8 = 15;

/// The node's InternalIP: its segment address, or in user mode one of its own in 10.0.2.0/24.
pub fn node_address(topology: &Topology, node: &Node) -> Ipv4Addr {
    match topology.network.mode {
        NetworkMode::Segment => node.address,
        NetworkMode::User => {
            let earlier = rank(topology, node, |_| true);
            Ipv4Addr::new(10, 0, 2, SLIRP_FIRST_GUEST.saturating_add(earlier))
        }
    }
}

/// Where other nodes reach this one's services: in user mode only the host's forwards do.
pub fn advertised_address(topology: &Topology, node: &Node) -> Ipv4Addr {
    match topology.network.mode {
        NetworkMode::Segment => node.address,
        NetworkMode::User => SLIRP_HOST,
    }
}

/// The API server's port on its node. In user mode the nodes, and the Service
/// `kubernetes`, reach it at 10.0.2.2 and this very port: it is the host's.
pub fn api_secure_port(topology: &Topology) -> u16 {
    match topology.network.mode {
        NetworkMode::Segment => API_SECURE_PORT,
        NetworkMode::User => topology.api_port,
    }
}

/// The port of a worker's kubelet. In user mode all workers are 10.0.2.2 to the
/// API server, so each listens on a port of its own, and the host forwards it unchanged.
pub fn kubelet_port(topology: &Topology, node: &Node) -> u16 {
    match topology.network.mode {
        NetworkMode::Segment => KUBELET_PORT,
        NetworkMode::User => {
            let rank = rank(topology, node, |other| other.role == Role::Worker);
            let mut ports = user_mode_kubelet_ports();
            ports.nth(rank.into()).unwrap_or(KUBELET_PORT)
        }
    }
}

/// How many nodes of that kind have a lower address.
fn rank(topology: &Topology, node: &Node, of: impl Fn(&Node) -> bool) -> u8 {
    let lower = topology
        .nodes
        .iter()
        .filter(|other| of(other) && other.address < node.address)
        .count();
    u8::try_from(lower).unwrap_or(u8::MAX)
}

/// The guests' interface that carries the node's address. Machines of the user's own
/// need not agree on a name.
pub fn interface(topology: &Topology) -> Option<&'static str> {
    match topology.joined() {
        Joined::Machines => None,
        Joined::Segment => Some("segment0"),
        Joined::User => Some("uplink0"),
    }
}

/// `networking.hosts`: every node's name, where this node reaches it.
pub fn hosts(topology: &Topology, node: &Node) -> BTreeMap<Ipv4Addr, Vec<NodeName>> {
    let mut hosts: BTreeMap<Ipv4Addr, Vec<NodeName>> = BTreeMap::new();
    for other in &topology.nodes {
        let address = if other.name == node.name {
            node_address(topology, other)
        } else {
            advertised_address(topology, other)
        };
        hosts.entry(address).or_default().push(other.name.clone());
    }
    hosts
}

/// `systemd.network.links` of a guest: names by MAC address, the same on every
/// distribution and machine type.
pub(super) fn links(topology: &Topology, guest: &Guest) -> Value {
    let link = |name: &str, mac: String| {
        json!({
            "matchConfig": { "MACAddress": mac },
            "linkConfig": { "Name": name },
        })
    };
    let mut links = serde_json::Map::new();
    links.insert(
        "10-uplink0".into(),
        link("uplink0", guest.uplink_mac.to_string()),
    );
    if topology.network.mode == NetworkMode::Segment {
        links.insert(
            "10-segment0".into(),
            link("segment0", guest.segment_mac.to_string()),
        );
    }
    Value::Object(links)
}

/// The entry of `systemd.network.networks` for the segment.
pub(super) const SEGMENT: &str = "20-segment0";

/// `systemd.network.networks` of a guest: DHCP on the uplink, the node's address on the
/// segment. Routes to Pods are the peers'.
pub(super) fn networks(topology: &Topology, node: &Node) -> Value {
    let mut networks = serde_json::Map::new();
    networks.insert(
        "10-uplink0".into(),
        json!({ "matchConfig": { "Name": "uplink0" }, "networkConfig": { "DHCP": "ipv4" } }),
    );
    if topology.network.mode == NetworkMode::Segment {
        let length = topology.network.segment.prefix_len();
        networks.insert(
            SEGMENT.into(),
            json!({
                "matchConfig": { "Name": "segment0" },
                "address": [format!("{}/{length}", node.address)],
            }),
        );
    }
    Value::Object(networks)
}

/// `networking.firewall`: the ports that this node's components serve to others, and no more.
pub(super) fn firewall(topology: &Topology, node: &Node) -> Value {
    let mut uplink: Vec<u16> = Vec::new();
    if let Some(guest) = node.guest() {
        uplink.push(ssh::PORT);
        uplink.extend(guest.forwards.iter().map(|forward| forward.guest));
    }
    let mut tcp: Vec<u16> = Vec::new();
    let mut udp: Vec<u16> = Vec::new();
    match node.role {
        Role::ControlPlane => {
            uplink.push(api_secure_port(topology));
            tcp.push(api_secure_port(topology));
        }
        Role::Worker => {
            tcp.push(kubelet_port(topology, node));
            if topology.cni == Cni::Cilium {
                tcp.push(CILIUM_HEALTH_PORT);
                udp.push(8472); // VXLAN
            }
        }
    }
    let mut firewall = json!({
        "enable": true,
        // Cilium's own routing looks like spoofing to a reverse-path filter (cilium#31565).
        "checkReversePath": match topology.cni {
            Cni::Cilium => json!(false),
            Cni::Bridge => json!("loose"),
        },
    });
    let mut open = |interface: &str, ports: Value| firewall["interfaces"][interface] = ports;
    match (&node.machine, topology.network.mode) {
        (Machine::Remote(remote), _) => match &remote.interface {
            Some(interface) => open(interface.as_str(), ports(tcp, udp)),
            // On every interface: which one the other nodes use is not known.
            None => {
                let all = ports(tcp, udp);
                firewall["allowedTCPPorts"] = all["allowedTCPPorts"].clone();
                firewall["allowedUDPPorts"] = all["allowedUDPPorts"].clone();
            }
        },
        (Machine::Guest(_), NetworkMode::Segment) => {
            open("segment0", ports(tcp, udp));
            open("uplink0", ports(uplink, Vec::new()));
        }
        (Machine::Guest(_), NetworkMode::User) => {
            uplink.extend(tcp);
            open("uplink0", ports(uplink, udp));
        }
    }
    firewall
}

fn ports(mut tcp: Vec<u16>, mut udp: Vec<u16>) -> Value {
    for ports in [&mut tcp, &mut udp] {
        ports.sort_unstable();
        ports.dedup();
    }
    json!({ "allowedTCPPorts": tcp, "allowedUDPPorts": udp })
}

/// `networking.nftables.tables.hardway.content` of a worker: what a guest's Pods may not
/// reach, and with the bridge CNI, under which address Pods reach the internet.
pub(super) fn pod_filter(topology: &Topology) -> Option<String> {
    let (pods, segment) = (topology.network.pods, topology.network.segment);
    let mut rules = String::new();
    let guests = topology.remote().is_none();
    // In user mode the API server, too, is behind the host's address.
    let api = match topology.network.mode {
        NetworkMode::Segment => String::new(),
        NetworkMode::User => format!(
            "  ip saddr {pods} ip daddr {SLIRP_HOST} tcp dport {} accept\n",
            api_secure_port(topology)
        ),
    };
    if guests {
        rules += &format!(
            "\
# To a guest, 10.0.2.2 is the host's own loopback: Pods get name resolution there, and nothing else.
chain forward {{
  type filter hook forward priority filter - 5; policy accept;
  ip saddr {pods} ip daddr {SLIRP_DNS} udp dport 53 accept
  ip saddr {pods} ip daddr {SLIRP_DNS} tcp dport 53 accept
{api}  ip saddr {pods} ip daddr {SLIRP_RANGE} drop
}}
"
        );
    }
    if topology.cni == Cni::Bridge {
        let outside = match guests {
            true => "oifname \"uplink0\"".to_owned(),
            false => format!("ip daddr != {{ {pods}, {segment} }}"),
        };
        rules += &format!(
            "\
# Out of the cluster Pods go under their node's address; within it they keep their own.
chain postrouting {{
  type nat hook postrouting priority srcnat + 5; policy accept;
  ip saddr {pods} {outside} masquerade
}}
"
        );
    }
    (!rules.is_empty()).then_some(rules)
}

/// `boot.kernel.sysctl`.
pub(super) fn sysctl(topology: &Topology, node: &Node) -> Value {
    let mut sysctl = serde_json::Map::new();
    match node.role {
        // etcd may start before networkd has set the address that it listens on.
        Role::ControlPlane => {
            sysctl.insert("net.ipv4.ip_nonlocal_bind".into(), json!(1));
        }
        Role::Worker => {
            // Two names of one setting. NixOS writes 0 to the first unless a module says
            // otherwise: forwarding would stop whenever the settings are applied.
            sysctl.insert("net.ipv4.conf.all.forwarding".into(), json!(1));
            sysctl.insert("net.ipv4.ip_forward".into(), json!(1));
            if topology.cni == Cni::Bridge {
                // A Service's answer between two Pods of one node crosses only the bridge:
                // let it be seen by the rules that changed the question's address.
                sysctl.insert("net.bridge.bridge-nf-call-iptables".into(), json!(1));
            }
        }
    }
    Value::Object(sysctl)
}

/// `boot.kernelModules`, sorted.
pub(super) fn kernel_modules(topology: &Topology, node: &Node) -> Vec<&'static str> {
    match (node.role, topology.cni) {
        (Role::ControlPlane, _) => Vec::new(),
        (Role::Worker, Cni::Bridge) => vec!["br_netfilter", "overlay"],
        (Role::Worker, Cni::Cilium) => vec!["overlay"],
    }
}

/// The bridge plugin's configuration: this node's Pods on one bridge, addresses from its own range.
pub(super) fn bridge_conflist(node: &Node) -> Value {
    json!({
        "cniVersion": "1.0.0",
        "name": "bridge",
        "plugins": [
            {
                "type": "bridge",
                "bridge": "cni0",
                "hairpinMode": true,
                "ipMasq": false,
                "isDefaultGateway": true,
                "ipam": {
                    "type": "host-local",
                    "ranges": [[{ "subnet": node.pod_cidr }]],
                },
            },
            { "type": "portmap", "capabilities": { "portMappings": true } },
        ],
    })
}
