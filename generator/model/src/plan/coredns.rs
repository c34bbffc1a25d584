//! CoreDNS: resolves the cluster's names. It runs in Pods, unlike what a node needs
//! before it can run any: a Deployment behind the Service `kube-dns`.

use std::net::Ipv4Addr;

use serde::Serialize;

use crate::topology::Topology;

/// Source: `CoreDNSVersion` of Kubernetes 1.36's cmd/kubeadm constants, and its
/// registry. The rehearsal builds the same version (rehearsal/programs/coredns/go.mod).
pub const IMAGE: &str = "registry.k8s.io/coredns/coredns:v1.14.2";

/// What fills in `hosts/addons/coredns.yaml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CoreDns {
    pub image: &'static str,
    /// The zone of the cluster's names.
    pub domain: String,
    /// The Service's address, which the kubelets announce.
    pub address: Ipv4Addr,
    pub replicas: usize,
}

/// The cluster's name server.
pub fn coredns(topology: &Topology) -> CoreDns {
    CoreDns {
        image: IMAGE,
        domain: topology.domain.clone(),
        address: address(topology),
        // One Pod a worker, and no more than two: one more answers nobody faster here.
        replicas: topology.workers().count().min(2),
    }
}

/// The address under which Pods find their name server.
pub fn address(topology: &Topology) -> Ipv4Addr {
    topology.service_address(10)
}
