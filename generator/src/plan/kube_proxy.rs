//! kube-proxy: makes Services' addresses work on a node. Only with the bridge
//! CNI: Cilium takes its place.

use serde_json::json;

use super::network::node_address;
use super::{Component, ConfigFile, Format, flags, pki, words};
use crate::topology::{Node, Topology};

pub(super) const NAME: &str = "kube-proxy";

pub(super) fn component(topology: &Topology, node: &Node) -> Component {
    Component {
        description:
            "kube-proxy: sends what is addressed to a Service to one of its Pods, by nftables"
                .into(),
        package: "kubernetes".into(),
        command: NAME.into(),
        flags: flags([("config", json!("/etc/kubernetes/kube-proxy.yaml"))]),
        config: Some(ConfigFile {
            path: "kubernetes/kube-proxy.yaml".into(),
            format: Format::Yaml,
            value: json!({
                "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
                "kind": "KubeProxyConfiguration",
                "bindAddress": node_address(topology, node),
                "clientConnection": { "kubeconfig": pki("kube-proxy.kubeconfig") },
                "clusterCIDR": topology.network.pods,
                "hostnameOverride": node.name,
                "mode": "nftables",
            }),
        }),
        path: words(&["conntrack-tools", "iproute2", "kmod", "nftables"]),
        requires: words(&[]),
        after: words(&["systemd-networkd.service"]),
        user: "root".into(),
        readiness: "exec".into(),
        state_directory: None,
        delegate: false,
    }
}
