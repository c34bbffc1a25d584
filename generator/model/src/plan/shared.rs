//! What the nodes of a cluster have in common: what the base image is made of.
//!
//! Packages, and the options that decide which packages a NixOS has at all. No name, no
//! address, no port: a node that joins later must not make another base of it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Plan;

/// NixOS' options that every node has, with the same value.
const OPTIONS: [&str; 7] = [
    "networking.nftables.enable",
    "networking.useDHCP",
    "networking.useNetworkd",
    "services.resolved.enable",
    "services.timesyncd.enable",
    "system.stateVersion",
    "systemd.network.wait-online.enable",
];

#[derive(Debug, Clone, PartialEq)]
pub struct Shared {
    /// Options by their dotted path.
    pub options: BTreeMap<String, Value>,
    /// Names of packages in nixpkgs: those of every component of any node.
    pub packages: BTreeSet<String>,
}

/// What `plan`'s nodes share.
pub fn shared(plan: &Plan) -> Shared {
    let nodes = || plan.nodes.iter();
    let options = OPTIONS.iter().filter_map(|&name| {
        let mut values = nodes().map(|node| node.options.get(name));
        let first = values.next()??;
        values
            .all(|value| value == Some(first))
            .then(|| (name.to_owned(), first.clone()))
    });
    let mut packages = BTreeSet::new();
    for component in nodes().flat_map(|node| node.components.values()) {
        packages.insert(component.package.clone());
        packages.extend(component.path.iter().cloned());
        packages.extend(component.wait_for.iter().map(|check| check.package.clone()));
    }
    if nodes().any(|node| node.options.contains_key("hardway.cni.plugins")) {
        packages.insert("cni-plugins".to_owned());
    }
    Shared {
        options: options.collect(),
        packages,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{plan, sample};
    use crate::topology::{Cni, NetworkMode};

    #[test]
    fn one_worker_more_changes_nothing_that_is_shared() {
        let topology = sample::topology(Cni::Bridge, NetworkMode::Segment);
        let mut fewer = topology.clone();
        fewer.nodes.retain(|node| node.name.as_str() != "west");
        assert!(fewer.nodes.len() < topology.nodes.len());
        assert_eq!(shared(&plan(&topology)), shared(&plan(&fewer)));
    }

    #[test]
    fn every_package_and_no_name_or_address() {
        for cni in [Cni::Bridge, Cni::Cilium] {
            for mode in [NetworkMode::Segment, NetworkMode::User] {
                let topology = sample::topology(cni, mode);
                let shared = shared(&plan(&topology));
                assert_eq!(shared.options.len(), OPTIONS.len(), "{shared:?}");
                for package in ["kubernetes", "etcd", "containerd", "runc", "cni-plugins"] {
                    assert!(shared.packages.contains(package), "{shared:?}");
                }
                let text = format!("{shared:?}");
                for node in &topology.nodes {
                    assert!(!text.contains(node.name.as_str()), "{text}");
                    assert!(!text.contains(&node.address.to_string()), "{text}");
                }
            }
        }
    }
}
