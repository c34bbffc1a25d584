//! kube-controller-manager: the loops that move what is towards what was asked for.

use std::collections::BTreeMap;

use serde_json::json;

use super::kube_apiserver::{self, USER};
use super::{Component, flags, pki, words};
use crate::topology::{Authority, Cni, Topology};

pub(super) const NAME: &str = "kube-controller-manager";

/// The one certificate that goes with ca-key.pem. The signing loops take no file with more
/// than one (Kubernetes, pkg/controller/certificates/signer/ca_provider.go), and ca.pem has
/// two while the authority is being replaced.
pub const SIGNING: &str = "ca-signing.pem";

pub(super) fn component(topology: &Topology) -> Component {
    let kubeconfig = pki("kube-controller-manager.kubeconfig");
    let mut flags = flags([
        ("authentication-kubeconfig", json!(kubeconfig)),
        ("authorization-kubeconfig", json!(kubeconfig)),
        ("bind-address", json!("127.0.0.1")),
        ("cluster-name", json!(topology.name)),
        ("kubeconfig", json!(kubeconfig)),
        ("leader-elect", json!(true)),
        ("profiling", json!(false)),
        ("root-ca-file", json!(pki("ca.pem"))),
        (
            "service-account-private-key-file",
            json!(pki("service-account-key.pem")),
        ),
        ("service-cluster-ip-range", json!(topology.network.services)),
        ("use-service-account-credentials", json!(true)),
    ]);
    // Without both, it starts no signer of CertificateSigningRequests, and says so.
    if !topology.is_external(Authority::Cluster) {
        flags.extend([
            ("cluster-signing-cert-file".into(), json!(pki(SIGNING))),
            ("cluster-signing-key-file".into(), json!(pki("ca-key.pem"))),
        ]);
    }
    match topology.cni {
        Cni::Cilium => {
            flags.insert("allocate-node-cidrs".into(), json!(true));
            flags.insert("cluster-cidr".into(), json!(topology.network.pods));
            flags.insert("node-cidr-mask-size-ipv4".into(), json!(24));
        }
        // The plan gives each node its range: allocation follows the order in
        // which nodes register, and the static routes could not know it.
        Cni::Bridge => {
            flags.insert("allocate-node-cidrs".into(), json!(false));
        }
    }
    Component {
        description:
            "kube-controller-manager: runs the control loops (Deployments, Nodes, tokens, …)".into(),
        package: "kubernetes".into(),
        command: NAME.into(),
        flags,
        config: None,
        path: words(&[]),
        requires: words(&[]),
        after: words(&["kube-apiserver.service"]),
        user: USER.into(),
        readiness: "exec".into(),
        wait_for: Some(kube_apiserver::until_ready(topology)),
        state_directory: None,
        delegate: false,
        ports: vec![10257],
        hardening: BTreeMap::new(),
    }
}
