//! A small topology of one's own for unit tests: not the default one, so that a
//! value taken from the wrong place shows.

#![allow(clippy::unwrap_used)]

use std::net::Ipv4Addr;

use crate::topology::{
    Cni, Guest, InterfaceName, MacAddress, Machine, Network, NetworkMode, Node, NodeName, Remote,
    Role, SshTarget, Topology,
};

pub fn topology(cni: Cni, mode: NetworkMode) -> Topology {
    let node = |name: &str, role: Role, last: u8| Node {
        name: NodeName::parse(name).unwrap(),
        role,
        address: Ipv4Addr::new(172, 20, 5, last),
        pod_cidr: format!("172.21.{last}.0/24").parse().unwrap(),
        machine: Machine::Guest(Guest {
            memory: 4096,
            cpus: 2,
            disk: 20,
            uplink_mac: MacAddress([0x52, 0x54, 1, 20, 5, last]),
            segment_mac: MacAddress([0x52, 0x54, 0, 20, 5, last]),
            ssh_port: 2200 + u16::from(last),
            forwards: Vec::new(),
        }),
        modules: Vec::new(),
    };
    Topology {
        external_authorities: Vec::new(),
        name: "tiny".into(),
        kubernetes_version: "1.36".into(),
        versions: crate::tables::Versions::minors("1.36").unwrap(),
        domain: "tiny.test".into(),
        cni,
        network: Network {
            mode,
            pods: "172.21.0.0/16".parse().unwrap(),
            services: "172.22.0.0/24".parse().unwrap(),
            segment: "172.20.5.0/24".parse().unwrap(),
        },
        api_port: 7443,
        nodes: vec![
            node("east", Role::Worker, 9),
            node("hub", Role::ControlPlane, 5),
            node("west", Role::Worker, 7),
        ],
    }
}

/// The same nodes on machines of the user's own.
pub fn remote(cni: Cni) -> Topology {
    let mut topology = topology(cni, NetworkMode::Segment);
    for node in &mut topology.nodes {
        node.machine = Machine::Remote(Remote {
            ssh: SshTarget::parse(&format!("root@{}", node.address)).unwrap(),
            interface: InterfaceName::parse("enp3s0").ok(),
        });
    }
    topology
}
