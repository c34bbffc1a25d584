//! kubelet: a worker's agent; it runs the Pods that the API server assigns to the node.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::network::{kubelet_port, node_address};
use super::{Component, ConfigFile, Format, coredns, flags, pki, words};
use crate::topology::{Node, Topology};

pub(super) const NAME: &str = "kubelet";

/// Holds a Pod's network namespace open. Named once: containerd pins it.
/// Source: `DefaultPauseImage…` of Kubernetes 1.36's cmd/kubeadm constants.
pub const SANDBOX_IMAGE: &str = "registry.k8s.io/pause:3.10";

/// How long Pods get to end when the machine is shut down.
pub(super) const SHUTDOWN_GRACE_SECONDS: u32 = 30;

/// Its health check, on the loopback.
const HEALTHZ_PORT: u16 = 10248;

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
                "clusterDNS": [coredns::address(topology)],
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
        wait_for: None,
        state_directory: Some(NAME.into()),
        delegate: false,
        ports: vec![HEALTHZ_PORT, kubelet_port(topology, node)],
        hardening: hardening(),
    }
}

/// It mounts volumes where containerd must see them, so nothing that gives a unit a view
/// of the file system of its own; it makes folders for Pods with other users and modes,
/// so neither `UMask` nor `RestrictSUIDSGID`; it reads the kernel's log for out-of-memory kills.
fn hardening() -> BTreeMap<String, Value> {
    flags([
        (
            "CapabilityBoundingSet",
            json!(
                "~CAP_AUDIT_CONTROL CAP_AUDIT_READ CAP_BLOCK_SUSPEND CAP_LINUX_IMMUTABLE \
                 CAP_MAC_ADMIN CAP_MAC_OVERRIDE CAP_SYS_BOOT CAP_SYS_MODULE CAP_SYS_PACCT \
                 CAP_SYS_RAWIO CAP_SYS_TIME CAP_SYS_TTY_CONFIG CAP_WAKE_ALARM"
            ),
        ),
        ("LockPersonality", json!(true)),
        ("MemoryDenyWriteExecute", json!(true)),
        ("NoNewPrivileges", json!(true)),
        (
            "RestrictAddressFamilies",
            json!("AF_INET AF_INET6 AF_NETLINK AF_UNIX"),
        ),
        ("RestrictRealtime", json!(true)),
        ("SystemCallArchitectures", json!("native")),
    ])
}
