//! One node: which components it runs, which files it may read, and the
//! ordinary NixOS options around them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::kube_controller_manager::SIGNING;
use super::{Component, NodePlan, PkiFile, etcd, kube_apiserver, network};
use super::{containerd, kube_controller_manager, kube_proxy, kube_scheduler, kubelet};
use super::{peers, ssh};
use crate::topology::{Authority, Cni, Joined, Node, Role, Topology};

pub(super) fn plan(topology: &Topology, node: &Node) -> NodePlan {
    NodePlan {
        name: node.name.clone(),
        role: node.role,
        components: components(topology, node),
        pki: pki_files(topology, node),
        options: options(topology, node),
        peers: peers::options(topology, node),
    }
}

fn components(topology: &Topology, node: &Node) -> BTreeMap<String, Component> {
    let mut all: Vec<(&str, Component)> = match node.role {
        Role::ControlPlane => vec![
            (etcd::NAME, etcd::component(topology, node)),
            (
                kube_apiserver::NAME,
                kube_apiserver::component(topology, node),
            ),
            (
                kube_controller_manager::NAME,
                kube_controller_manager::component(topology),
            ),
            (kube_scheduler::NAME, kube_scheduler::component(topology)),
        ],
        Role::Worker => vec![
            (containerd::NAME, containerd::component()),
            (kubelet::NAME, kubelet::component(topology, node)),
        ],
    };
    if node.role == Role::Worker && topology.cni == Cni::Bridge {
        all.push((kube_proxy::NAME, kube_proxy::component(topology, node)));
    }
    all.into_iter()
        .map(|(name, component)| (name.to_owned(), component))
        .collect()
}

/// Every file of the PKI that this node gets, and whose process reads it.
fn pki_files(topology: &Topology, node: &Node) -> BTreeMap<String, PkiFile> {
    let mut files = BTreeMap::new();
    let mut reads = |user: &str, names: &[&str]| {
        for name in names {
            files.insert(
                (*name).to_owned(),
                PkiFile {
                    user: user.to_owned(),
                },
            );
        }
    };
    let name = &node.name;
    if node.guest().is_some() {
        reads("root", &[ssh::AUTHORIZED_KEYS, &ssh::host_key(name)]);
    }
    // The authorities' certificates are public; `root` owns what several processes read.
    reads("root", &["ca.pem"]);
    match node.role {
        Role::ControlPlane => {
            reads(
                "root",
                &["etcd-ca.pem", "front-proxy-ca.pem", "service-account.pem"],
            );
            reads(
                etcd::NAME,
                &[
                    &format!("etcd-peer-{name}-key.pem"),
                    &format!("etcd-peer-{name}.pem"),
                    &format!("etcd-server-{name}-key.pem"),
                    &format!("etcd-server-{name}.pem"),
                ],
            );
            reads(
                kube_apiserver::USER,
                &[
                    "encryption-config.yaml",
                    "front-proxy-client-key.pem",
                    "front-proxy-client.pem",
                    "kube-apiserver-etcd-client-key.pem",
                    "kube-apiserver-etcd-client.pem",
                    "kube-apiserver-key.pem",
                    "kube-apiserver-kubelet-client-key.pem",
                    "kube-apiserver-kubelet-client.pem",
                    "kube-apiserver.pem",
                    "kube-controller-manager.kubeconfig",
                    "kube-scheduler.kubeconfig",
                    "service-account-key.pem",
                ],
            );
            if !topology.is_external(Authority::Cluster) {
                reads("root", &[SIGNING]);
                reads(kube_apiserver::USER, &["ca-key.pem"]);
            }
        }
        Role::Worker => {
            reads(
                "root",
                &[
                    &format!("kubelet-serving-{name}-key.pem"),
                    &format!("kubelet-serving-{name}.pem"),
                    &format!("kubelet-client-{name}.kubeconfig"),
                ],
            );
            if topology.cni == Cni::Bridge {
                reads("root", &["kube-proxy.kubeconfig"]);
            }
        }
    }
    files
}

fn options(topology: &Topology, node: &Node) -> BTreeMap<String, Value> {
    let bridge = topology.cni == Cni::Bridge;
    let worker = node.role == Role::Worker;
    let mut identity = json!({
        "name": node.name,
        "role": node.role,
        "address": network::node_address(topology, node),
    });
    if let Some(interface) = network::interface(topology) {
        identity["interface"] = json!(interface);
    }
    if worker && bridge {
        identity["podCIDR"] = json!(node.pod_cidr);
    }
    let mut options = BTreeMap::from([
        ("boot.kernel.sysctl", network::sysctl(topology, node)),
        (
            "boot.kernelModules",
            json!(network::kernel_modules(topology, node)),
        ),
        ("hardway.node", identity),
        ("hardway.versions", json!(topology.versions)),
        ("networking.firewall", network::firewall(topology, node)),
        ("networking.hostName", json!(node.name)),
        ("networking.nftables.enable", json!(true)),
        ("networking.useNetworkd", json!(true)),
        ("services.resolved.enable", json!(true)),
        ("services.timesyncd.enable", json!(true)),
        ("system.stateVersion", json!("26.05")),
    ]);
    if topology.joined() == Joined::User {
        options.insert("networking.hosts", json!(network::hosts(topology, node)));
    }
    if let Some(guest) = node.guest() {
        options.extend([
            ("hardway.ssh", ssh::option(node)),
            ("networking.useDHCP", json!(false)),
            ("systemd.network.links", network::links(topology, guest)),
            (
                "systemd.network.networks",
                network::networks(topology, node),
            ),
            ("systemd.network.wait-online.enable", json!(false)),
        ]);
    }
    if worker {
        options.insert(
            "hardway.cni.plugins",
            if bridge {
                json!(["bridge", "host-local", "loopback", "portmap"])
            } else {
                json!(["loopback"])
            },
        );
        if let Some(rules) = network::pod_filter(topology) {
            options.insert(
                "networking.nftables.tables",
                json!({ "hardway": { "family": "inet", "content": rules } }),
            );
        }
        // logind must wait as long as the kubelet needs to end its Pods.
        let etc = json!({
            "systemd/logind.conf.d/kubelet.conf": {
                "text": format!("[Login]\nInhibitDelayMaxSec={}\n", kubelet::SHUTDOWN_GRACE_SECONDS),
            },
        });
        if bridge {
            options.insert("hardway.cni.config", network::bridge_conflist(node));
        } else {
            // networkd would remove the routes and rules that Cilium sets.
            options.insert(
                "systemd.network.config",
                json!({ "networkConfig": {
                    "ManageForeignRoutes": false,
                    "ManageForeignRoutingPolicyRules": false,
                } }),
            );
        }
        options.insert("environment.etc", etc);
    }
    options
        .into_iter()
        .map(|(path, value)| (path.to_owned(), value))
        .collect()
}
