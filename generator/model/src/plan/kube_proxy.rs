//! kube-proxy: makes Services' addresses work on a node. Only with the bridge
//! CNI: Cilium takes its place.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::network::node_address;
use super::{Component, ConfigFile, Format, flags, pki, words};
use crate::topology::{Node, Topology};

pub(super) const NAME: &str = "kube-proxy";

/// Its metrics, on the loopback, and its health check, which load balancers ask.
const METRICS_PORT: u16 = 10249;
const HEALTHZ_PORT: u16 = 10256;

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
        wait_for: None,
        state_directory: None,
        delegate: false,
        ports: vec![METRICS_PORT, HEALTHZ_PORT],
        hardening: hardening(),
    }
}

/// It writes firewall rules and the kernel's settings of connection tracking, and no file.
fn hardening() -> BTreeMap<String, Value> {
    flags([
        // The second one, to tell the kernel to spare it when memory runs out.
        (
            "CapabilityBoundingSet",
            json!("CAP_NET_ADMIN CAP_SYS_RESOURCE"),
        ),
        ("LockPersonality", json!(true)),
        ("MemoryDenyWriteExecute", json!(true)),
        ("NoNewPrivileges", json!(true)),
        ("PrivateDevices", json!(true)),
        ("PrivateTmp", json!(true)),
        ("ProtectClock", json!(true)),
        ("ProtectControlGroups", json!(true)),
        ("ProtectHome", json!(true)),
        ("ProtectHostname", json!(true)),
        ("ProtectKernelLogs", json!(true)),
        ("ProtectKernelModules", json!(true)),
        ("ProtectProc", json!("invisible")),
        ("ProtectSystem", json!("strict")),
        (
            "RestrictAddressFamilies",
            json!("AF_INET AF_INET6 AF_NETLINK AF_UNIX"),
        ),
        ("RestrictNamespaces", json!(true)),
        ("RestrictRealtime", json!(true)),
        ("RestrictSUIDSGID", json!(true)),
        ("SystemCallArchitectures", json!("native")),
        ("SystemCallErrorNumber", json!("EPERM")),
        ("SystemCallFilter", json!(["@system-service"])),
        ("UMask", json!("0077")),
    ])
}
