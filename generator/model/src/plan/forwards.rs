//! Which ports of the host lead to a guest, and what for.

use serde::Serialize;

use super::network::{api_secure_port, kubelet_port};
use super::ssh;
use crate::topology::{Forward, NetworkMode, Node, Role, Topology};

/// A TCP port of the host's 127.0.0.1 → a port of a guest, and what for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forwarded {
    pub ports: Forward,
    pub purpose: Purpose,
}

/// What a port of the host is forwarded for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    Api,
    Kubelet,
    Ssh,
    /// `forwards` of the node in cluster.json.
    Own,
}

/// Every port of the host's 127.0.0.1 that leads to this guest.
pub fn forwards(topology: &Topology, node: &Node) -> Vec<Forwarded> {
    let mut forwards = Vec::new();
    let mut add = |host, guest, purpose| {
        forwards.push(Forwarded {
            ports: Forward { host, guest },
            purpose,
        });
    };
    match node.role {
        Role::ControlPlane => add(topology.api_port, api_secure_port(topology), Purpose::Api),
        Role::Worker if topology.network.mode == NetworkMode::User => {
            let port = kubelet_port(topology, node);
            add(port, port, Purpose::Kubelet);
        }
        Role::Worker => {}
    }
    if let Some(guest) = node.guest() {
        add(guest.ssh_port, ssh::PORT, Purpose::Ssh);
        for forward in &guest.forwards {
            add(forward.host, forward.guest, Purpose::Own);
        }
    }
    forwards
}
