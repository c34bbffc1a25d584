//! The plan as a whole, and the mistakes that other "hard way" generators ship.

use std::collections::BTreeSet;

use super::sample::{remote, topology};
use super::*;
use crate::topology::{Cni, NetworkMode};

#[test]
fn a_plan_with_the_bridge_plugin() {
    insta::assert_json_snapshot!(plan(&topology(Cni::Bridge, NetworkMode::Segment)));
}

#[test]
fn a_plan_with_cilium() {
    insta::assert_json_snapshot!(plan(&topology(Cni::Cilium, NetworkMode::Segment)));
}

#[test]
fn in_user_mode_each_kubelet_has_a_port_and_the_host_is_the_way() {
    let plan = plan(&topology(Cni::Bridge, NetworkMode::User));
    let port = |name: &str| {
        let node = plan
            .nodes
            .iter()
            .find(|node| node.name.as_str() == name)
            .unwrap();
        node.components["kubelet"].config.as_ref().unwrap().value["port"].clone()
    };
    // By address, not by name: west is .7, east is .9.
    assert_eq!((port("west"), port("east")), (10250.into(), 10251.into()));
    let hub = plan
        .nodes
        .iter()
        .find(|node| node.name.as_str() == "hub")
        .unwrap();
    assert_eq!(
        hub.options["networking.hosts"],
        serde_json::json!({ "10.0.2.15": ["hub"], "10.0.2.2": ["east", "west"] })
    );
    let flags = &hub.components["kube-apiserver"].flags;
    assert_eq!(flags["advertise-address"], "10.0.2.2");
    // By name, which the hosts file leads to the host: the InternalIP ends at its QEMU.
    assert_eq!(
        flags["kubelet-preferred-address-types"],
        serde_json::json!(["Hostname", "InternalIP"])
    );
    // The host forwards this port unchanged: it is the one at which others dial 10.0.2.2.
    assert_eq!(flags["secure-port"], 7443);
    assert_eq!(
        hub.options["networking.firewall"]["interfaces"]["uplink0"]["allowedTCPPorts"],
        serde_json::json!([SSH_PORT, 7443])
    );
    let servers: BTreeSet<&str> = plan
        .kubeconfigs
        .iter()
        .map(|kubeconfig| kubeconfig.server.as_str())
        .collect();
    assert_eq!(
        servers,
        ["https://10.0.2.2:7443", "https://127.0.0.1:7443"].into()
    );
    assert!(
        !hub.options["systemd.network.networks"]
            .to_string()
            .contains("segment0")
    );
}

#[test]
fn a_machine_of_ones_own_keeps_its_network() {
    let options: Vec<_> = [Cni::Bridge, Cni::Cilium]
        .iter()
        .flat_map(|&cni| plan(&remote(cni)).nodes)
        .map(|node| (node.options, node.peers))
        .collect();
    let text = serde_json::to_string(&options).unwrap();
    for of_a_guest in ["10.0.2.", "uplink0", "segment0", "52:54:", "useDHCP"] {
        assert!(!text.contains(of_a_guest), "{of_a_guest}");
    }
    insta::assert_json_snapshot!(options);
}

fn everything() -> Vec<Plan> {
    [
        topology(Cni::Bridge, NetworkMode::Segment),
        topology(Cni::Cilium, NetworkMode::Segment),
        topology(Cni::Bridge, NetworkMode::User),
        remote(Cni::Bridge),
        remote(Cni::Cilium),
    ]
    .iter()
    .map(plan)
    .collect()
}

/// A file that a flag or a configuration names must be one that the node gets,
/// and one that it gets must be named: else a component fails, or a key travels for nothing.
#[test]
fn nodes_get_the_files_that_they_name_and_no_others() {
    for plan in everything() {
        for node in &plan.nodes {
            let text = serde_json::to_string(&(&node.components, &node.options)).unwrap();
            let named: BTreeSet<&str> = text
                .split(&format!("{PKI_FOLDER}/"))
                .skip(1)
                .filter_map(|rest| rest.split('"').next())
                .collect();
            let given: BTreeSet<&str> = node.pki.keys().map(String::as_str).collect();
            assert_eq!(named, given, "{}", node.name);
        }
    }
}

/// Whose key is elsewhere signs nothing on a node either, and no key is sent there.
#[test]
fn the_key_of_an_authority_elsewhere_goes_nowhere() {
    let here = topology(Cni::Bridge, NetworkMode::Segment);
    let mut elsewhere = here.clone();
    elsewhere.external_authorities = vec![Authority::Cluster];
    let (here, elsewhere) = (plan(&here), plan(&elsewhere));
    let lost = |pick: &dyn Fn(&NodePlan) -> BTreeSet<String>| -> Vec<String> {
        let nodes = here.nodes.iter().zip(&elsewhere.nodes);
        let lost = nodes.flat_map(|(here, elsewhere)| &pick(here) - &pick(elsewhere));
        lost.collect()
    };
    assert_eq!(
        lost(&|node| node.pki.keys().cloned().collect()),
        ["ca-key.pem", SIGNING]
    );
    let flags = |node: &NodePlan| {
        let flags = node.components.values().flat_map(|one| one.flags.keys());
        flags.cloned().collect()
    };
    assert_eq!(
        lost(&flags),
        ["cluster-signing-cert-file", "cluster-signing-key-file"]
    );
}

/// Every file that a node gets is one that the PKI makes.
#[test]
fn files_of_the_pki_exist() {
    for plan in everything() {
        let mut made: BTreeSet<String> = [
            SIGNING,
            "service-account.pem",
            "service-account-key.pem",
            "encryption-config.yaml",
        ]
        .map(ToOwned::to_owned)
        .into();
        let stems = plan
            .certificates
            .iter()
            .map(|request| request.name.as_str());
        for stem in stems.chain(Authority::ALL.map(Authority::stem)) {
            made.extend([format!("{stem}.pem"), format!("{stem}-key.pem")]);
        }
        made.extend(
            plan.kubeconfigs
                .iter()
                .map(|one| format!("{}.kubeconfig", one.name)),
        );
        for node in &plan.nodes {
            made.extend([SSH_AUTHORIZED_KEYS.to_owned(), ssh_host_key(&node.name)]);
            for file in node.pki.keys() {
                assert!(made.contains(file), "{}: nobody makes {file}", node.name);
            }
        }
    }
}

/// The firewall opens what a component of the node listens on, and Cilium, which runs in
/// Pods; and no two components listen on one port.
#[test]
fn the_firewall_opens_what_components_listen_on() {
    for plan in everything() {
        for node in &plan.nodes {
            let ports: Vec<u16> = node
                .components
                .values()
                .flat_map(|component| component.ports.clone())
                .collect();
            let different: BTreeSet<u16> = ports.iter().copied().collect();
            assert_eq!(ports.len(), different.len(), "{}: {ports:?}", node.name);
            let interfaces = node.options["networking.firewall"]["interfaces"]
                .as_object()
                .unwrap();
            for (interface, open) in interfaces {
                for port in open["allowedTCPPorts"].as_array().unwrap() {
                    let port = u16::try_from(port.as_u64().unwrap()).unwrap();
                    assert!(
                        different.contains(&port)
                            || port == network::CILIUM_HEALTH_PORT
                            || interface == "uplink0" && port == SSH_PORT,
                        "{}: nothing listens on {port}, open on {interface}",
                        node.name
                    );
                }
            }
        }
    }
}

#[test]
fn nobody_is_in_system_masters() {
    for plan in everything() {
        for request in &plan.certificates {
            assert_ne!(
                request.organization.as_deref(),
                Some("system:masters"),
                "{}",
                request.name
            );
        }
    }
}

#[test]
fn the_api_server_is_certified_for_every_name_it_is_called_by() {
    let plan = plan(&topology(Cni::Bridge, NetworkMode::Segment));
    let request = plan
        .certificates
        .iter()
        .find(|one| one.name == "kube-apiserver")
        .unwrap();
    assert_eq!(
        request.hosts,
        [
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            "kubernetes.default.svc.tiny.test",
            "localhost",
            "hub",
            "127.0.0.1",
            "172.22.0.1",
            "172.20.5.5",
        ]
    );
}

#[test]
fn pods_reach_the_api_server_in_user_mode_and_nothing_else_behind_10_0_2_2() {
    let rules = |mode| network::pod_filter(&topology(Cni::Bridge, mode)).unwrap();
    let accepted = |rules: &str| -> Vec<String> {
        rules
            .lines()
            .filter(|line| line.ends_with(" accept") && line.contains("10.0.2.2 "))
            .map(|line| line.trim().to_owned())
            .collect()
    };
    assert_eq!(
        accepted(&rules(NetworkMode::User)),
        ["ip saddr 172.21.0.0/16 ip daddr 10.0.2.2 tcp dport 7443 accept"]
    );
    assert!(accepted(&rules(NetworkMode::Segment)).is_empty());
}

#[test]
fn coredns_answers_at_the_address_that_the_kubelets_announce() {
    let mut topology = topology(Cni::Bridge, NetworkMode::Segment);
    let dns = coredns(&topology);
    for node in plan(&topology).nodes {
        if let Some(kubelet) = node.components.get("kubelet") {
            let config = &kubelet.config.as_ref().unwrap().value;
            assert_eq!(config["clusterDNS"], serde_json::json!([dns.address]));
            assert_eq!(config["clusterDomain"], serde_json::json!(dns.domain));
        }
    }
    assert_eq!(
        (dns.address.to_string().as_str(), dns.replicas),
        ("172.22.0.10", 2)
    );
    topology.nodes.retain(|node| node.name.as_str() != "east");
    assert_eq!(coredns(&topology).replicas, 1);
}

/// The rehearsal has no registry: an image under another name is one that no Pod finds.
#[test]
fn the_rehearsal_makes_the_images_that_the_cluster_asks_for() {
    let read = |path: &str| {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../rehearsal")
            .join(path);
        std::fs::read_to_string(path).unwrap()
    };
    let version = COREDNS_IMAGE
        .strip_prefix("registry.k8s.io/coredns/coredns:")
        .unwrap();
    let module = read("programs/coredns/go.mod");
    assert!(
        module.contains(&format!("github.com/coredns/coredns {version} ")),
        "not {version}"
    );
    let images = read("images/build-images");
    assert!(images.contains("registry.k8s.io/coredns/coredns:$version"));
    assert!(
        images.contains(&format!("image {SANDBOX_IMAGE} ")),
        "not {SANDBOX_IMAGE}"
    );
}
