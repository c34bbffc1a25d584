//! kubelet: a worker's agent; it runs the Pods that the API server assigns to the node.

use serde_json::json;

use super::network::{kubelet_port, node_address};
use super::{Component, ConfigFile, Format, flags, pki, words};
use crate::topology::{Node, Topology};

pub(super) const NAME: &str = "kubelet";

/// Holds a Pod's network namespace open. Named once: containerd pins it.
/// Source: `DefaultPauseImage…` of Kubernetes 1.36's cmd/kubeadm constants.
pub const SANDBOX_IMAGE: &str = "registry.k8s.io/pause:3.10";

/// How long Pods get to end when the machine is shut down.
pub(super) const SHUTDOWN_GRACE_SECONDS: u32 = 30;

pub(super) fn component(topology: &Topology, node: &Node) -> Component {
    Component {
        description: "kubelet: runs the Pods that the API server assigns to this node".into(),
        package: "kubernetes".into(),
        command: NAME.into(),
        flags: flags([
            ("config", json!("/etc/kubernetes/kubelet.yaml")),
            ("hostname-override", json!(node.name)),
            (
                "kubeconfig",
                json!(pki(&format!("kubelet-client-{}.kubeconfig", node.name))),
            ),
            ("node-ip", json!(node_address(topology, node))),
        ]),
        config: Some(ConfigFile {
            path: "kubernetes/kubelet.yaml".into(),
            format: Format::Yaml,
            value: json!({
                "apiVersion": "kubelet.config.k8s.io/v1beta1",
                "kind": "KubeletConfiguration",
                "address": "0.0.0.0",
                "authentication": {
                    "anonymous": { "enabled": false },
                    "webhook": { "enabled": true },
                    "x509": { "clientCAFile": pki("ca.pem") },
                },
                "authorization": { "mode": "Webhook" },
                "cgroupDriver": "systemd",
                "clusterDNS": [topology.service_address(10)],
                "clusterDomain": topology.domain,
                "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
                "failSwapOn": true,
                "port": kubelet_port(topology, node),
                "readOnlyPort": 0,
                // Not the 127.0.0.53 of systemd-resolved's stub: a Pod has its own loopback.
                "resolvConf": "/run/systemd/resolve/resolv.conf",
                "shutdownGracePeriod": format!("{SHUTDOWN_GRACE_SECONDS}s"),
                "shutdownGracePeriodCriticalPods": "10s",
                "systemReserved": { "cpu": "100m", "memory": "256Mi" },
                "tlsCertFile": pki(&format!("kubelet-serving-{}.pem", node.name)),
                "tlsPrivateKeyFile": pki(&format!("kubelet-serving-{}-key.pem", node.name)),
            }),
        }),
        path: words(&[
            "conntrack-tools",
            "ethtool",
            "iproute2",
            "iptables",
            "socat",
            "util-linux",
        ]),
        requires: words(&["containerd.service"]),
        after: words(&["systemd-networkd.service"]),
        user: "root".into(),
        readiness: "notify".into(),
        state_directory: Some(NAME.into()),
        delegate: false,
    }
}
