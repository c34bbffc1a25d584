//! What each node runs, as plain data: components and their flags, files,
//! addresses, ports and certificates. Pure: no disk, no clock, no randomness.
//!
//! One file a component. The flags and fields are those that `tables` knows.

mod certificates;
mod containerd;
mod coredns;
mod etcd;
mod forwards;
mod kube_apiserver;
mod kube_controller_manager;
mod kube_proxy;
mod kube_scheduler;
mod kubelet;
mod network;
mod node;
mod peers;
mod shared;
mod ssh;
mod types;

pub use certificates::{ADMIN_GROUP, of_node as certificates_of};
pub use coredns::{CoreDns, IMAGE as COREDNS_IMAGE, address as dns_address, coredns};
pub use forwards::{Forwarded, Purpose, forwards};
pub use kube_controller_manager::SIGNING;
pub use kubelet::SANDBOX_IMAGE;
pub use network::{
    advertised_address, api_secure_port, hosts, interface, kubelet_port, node_address,
};
pub use peers::{Part, PeerOption, Peers, peers};
pub use shared::{Shared, shared};
pub use ssh::{AUTHORIZED_KEYS as SSH_AUTHORIZED_KEYS, PORT as SSH_PORT, host_key as ssh_host_key};
pub use types::{
    CertificateRequest, Component, ConfigFile, Format, Kubeconfig, NodePlan, PkiFile, Plan, Usage,
    WaitFor,
};

pub use crate::topology::Authority;
use crate::topology::Topology;

/// The folder on a node that holds its keys, certificates and kubeconfigs.
pub const PKI_FOLDER: &str = "/var/lib/hardway/pki";

/// Plans a whole cluster.
pub fn plan(topology: &Topology) -> Plan {
    Plan {
        nodes: topology
            .nodes
            .iter()
            .map(|node| node::plan(topology, node))
            .collect(),
        external: topology.external_authorities.clone(),
        certificates: certificates::requests(topology),
        kubeconfigs: certificates::kubeconfigs(topology),
    }
}

/// Where the file `name` of the PKI is on its node.
fn pki(name: &str) -> String {
    format!("{PKI_FOLDER}/{name}")
}

/// A component's flags, or other settings, from pairs of name and value.
fn flags<const N: usize>(
    pairs: [(&str, serde_json::Value); N],
) -> std::collections::BTreeMap<String, serde_json::Value> {
    pairs
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// Owned strings from literals.
fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}

#[cfg(any(test, feature = "sample"))]
pub mod sample;
#[cfg(test)]
mod tests;
