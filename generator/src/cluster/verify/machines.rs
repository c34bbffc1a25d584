//! The machines and their Nodes: what the guest agents and the API server say of them.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};

use super::{Bench, Found, seen};
use crate::cluster::machines::{self, in_guest};
use crate::cluster::nodes;
use crate::plan::{self, NodePlan};
use crate::topology::{Cni, Node};

/// systemd's own word on every component of every node, and on the rest of its units.
pub(super) fn units(bench: &Bench<'_>) -> Result<Found> {
    let mut count = 0;
    let mut problems = Vec::new();
    for node in &bench.plan.nodes {
        let units = machines::units(node);
        count += units.len();
        let mut command = vec!["systemctl", "is-active"];
        command.extend(units.iter().map(String::as_str));
        let output = in_guest(
            bench.paths,
            bench.node(&node.name)?,
            &command,
            bench.limits.command(),
        )?;
        problems.extend(inactive(node, &units, &output.stdout));

        let failed = ["systemctl", "--failed", "--no-legend", "--plain"];
        let output = in_guest(
            bench.paths,
            bench.node(&node.name)?,
            &failed,
            bench.limits.command(),
        )?;
        for line in output.stdout.lines().filter(|line| !line.trim().is_empty()) {
            problems.push(format!("{}: {}", node.name, line.trim()));
        }
    }
    if !problems.is_empty() {
        bail!("{}", problems.join("; "));
    }
    seen(format!("{count} units on {} nodes", bench.plan.nodes.len()))
}

fn inactive(node: &NodePlan, units: &[String], stdout: &str) -> Vec<String> {
    machines::states(units, stdout)
        .filter(|(_, state)| *state != "active")
        .map(|(unit, state)| format!("{}: {unit} is {state}", node.name))
        .collect()
}

/// Every worker Ready, at its planned address and no other, with its planned range.
pub(super) fn nodes(bench: &Bench<'_>) -> Result<Found> {
    let registered = nodes::list(&bench.admin)?;
    let workers: Vec<&Node> = bench.topology.workers().collect();
    let mut problems = nodes::missing(&workers, &registered);
    let mut addresses = BTreeSet::new();
    for node in &workers {
        let Some(found) = registered
            .iter()
            .find(|found| found.name == node.name.as_str())
        else {
            continue;
        };
        let planned = plan::node_address(bench.topology, node).to_string();
        if found.internal_ips != [planned.as_str()] {
            problems.push(format!(
                "{} has the InternalIP {}, and the plan has {planned}",
                node.name,
                found.internal_ips.join(", ")
            ));
        }
        addresses.extend(found.internal_ips.iter().cloned());
        let range = node.pod_cidr.to_string();
        match (bench.topology.cni, &found.pod_cidr) {
            (_, None) => problems.push(format!("{} has no podCIDR", node.name)),
            (Cni::Bridge, Some(cidr)) if *cidr != range => problems.push(format!(
                "{} has the podCIDR {cidr}, and the plan has {range}",
                node.name
            )),
            _ => {}
        }
    }
    if problems.is_empty() && addresses.len() != workers.len() {
        problems.push("two Nodes share an InternalIP".to_owned());
    }
    if !problems.is_empty() {
        bail!("{}", problems.join("; "));
    }
    let first = workers.first().context("cluster.json has no worker")?;
    let version = registered
        .iter()
        .find(|found| found.name == first.name.as_str())
        .map_or("", |found| found.version.as_str());
    seen(format!(
        "{} at {}, {version}",
        workers.len(),
        addresses.into_iter().collect::<Vec<_>>().join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::sample;
    use crate::topology::NetworkMode;

    #[test]
    fn names_each_unit_that_is_not_active() {
        let topology = sample::topology(Cni::Bridge, NetworkMode::Segment);
        let plan = plan::plan(&topology);
        let node = &plan.nodes[0];
        let units = machines::units(node);
        assert_eq!(
            units,
            [
                "hardway-pki.service",
                "containerd.service",
                "kube-proxy.service",
                "kubelet.service"
            ]
        );
        assert!(inactive(node, &units, "active\nactive\nactive\nactive\n").is_empty());
        assert_eq!(
            inactive(node, &units, "active\nactivating\nactive\n"),
            [
                "east: containerd.service is activating",
                "east: kubelet.service is unknown"
            ]
        );
    }
}
