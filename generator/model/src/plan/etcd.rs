//! etcd: the one place where the cluster's state is stored.

use std::collections::BTreeMap;

use serde_json::json;

use super::{Component, flags, network::node_address, pki, words};
use crate::topology::{Node, Topology};

/// The unit's and the user's name.
pub(super) const NAME: &str = "etcd";

/// Where the API server calls it, and where other members do.
const CLIENT_PORT: u16 = 2379;
const PEER_PORT: u16 = 2380;

pub(super) fn component(topology: &Topology, node: &Node) -> Component {
    let address = node_address(topology, node);
    let members: Vec<String> = topology
        .control_planes()
        .map(|member| {
            format!(
                "{}=https://{}:{PEER_PORT}",
                member.name,
                node_address(topology, member)
            )
        })
        .collect();
    let server = format!("etcd-server-{}", node.name);
    let peer = format!("etcd-peer-{}", node.name);
    Component {
        description: "etcd: stores the state of the cluster; only the API server talks to it"
            .into(),
        package: "etcd".into(),
        command: "etcd".into(),
        flags: flags([
            (
                "advertise-client-urls",
                json!(format!("https://{address}:{CLIENT_PORT}")),
            ),
            ("cert-file", json!(pki(&format!("{server}.pem")))),
            ("client-cert-auth", json!(true)),
            ("data-dir", json!("/var/lib/etcd")),
            (
                "initial-advertise-peer-urls",
                json!(format!("https://{address}:{PEER_PORT}")),
            ),
            ("initial-cluster", json!(members)),
            ("initial-cluster-state", json!("new")),
            ("initial-cluster-token", json!(topology.name)),
            ("key-file", json!(pki(&format!("{server}-key.pem")))),
            (
                "listen-client-urls",
                json!([
                    format!("https://127.0.0.1:{CLIENT_PORT}"),
                    format!("https://{address}:{CLIENT_PORT}")
                ]),
            ),
            (
                "listen-peer-urls",
                json!([format!("https://{address}:{PEER_PORT}")]),
            ),
            ("name", json!(node.name)),
            ("peer-cert-file", json!(pki(&format!("{peer}.pem")))),
            ("peer-client-cert-auth", json!(true)),
            ("peer-key-file", json!(pki(&format!("{peer}-key.pem")))),
            ("peer-trusted-ca-file", json!(pki("etcd-ca.pem"))),
            ("trusted-ca-file", json!(pki("etcd-ca.pem"))),
        ]),
        config: None,
        path: words(&[]),
        requires: words(&[]),
        after: words(&["systemd-networkd.service"]),
        user: NAME.into(),
        readiness: "notify".into(),
        wait_for: None,
        state_directory: Some("etcd".into()),
        delegate: false,
        ports: vec![CLIENT_PORT, PEER_PORT],
        hardening: BTreeMap::new(),
    }
}
