//! The machines and their Nodes: what the guest agents and the API server say of them.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};

use super::{Bench, Found, seen};
use crate::ops::machines::{self, LIST_UNITS, Listed, in_guest};
use crate::ops::nodes;
use model::plan;
use model::topology::{Cni, Node, NodeName};

/// systemd's own word on every component of every node. `others` gets the failed units that
/// are not this program's, once every node was asked.
pub(super) fn units(bench: &Bench<'_>, others: &mut Option<Vec<String>>) -> Result<Found> {
    let mut count = 0;
    let (mut problems, mut failed) = (Vec::new(), Vec::new());
    for node in &bench.plan.nodes {
        let units = machines::units(node);
        count += units.len();
        let output = in_guest(
            bench.paths,
            bench.node(&node.name)?,
            &LIST_UNITS,
            bench.limits.command(),
        )?;
        let listed = Listed::read(&units, &output)
            .with_context(|| format!("cannot look at the units of {}", node.name))?;
        let inactive = listed.inactive().into_iter();
        problems.extend(inactive.map(|unit| format!("{}: {unit}", node.name)));
        let all = listed.failed.into_iter();
        failed.extend(all.map(|unit| failure(&node.name, &unit)));
    }
    *others = Some(failed);
    if !problems.is_empty() {
        bail!("{}", problems.join("; "));
    }
    seen(format!("{count} units on {} nodes", bench.plan.nodes.len()))
}

fn failure(node: &NodeName, unit: &str) -> String {
    format!("{node}: {unit}: `hardway ssh {node} systemctl status {unit}`")
}

/// A unit that is not this program's may fail without harm to the cluster.
pub(super) fn others(failed: Option<&[String]>) -> Found {
    match failed {
        None => Found::Skip("not tried: not every node told its units".to_owned()),
        Some([]) => Found::Seen("on any node".to_owned()),
        Some(failed) => Found::Warning(failed.join("\n")),
    }
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

    #[test]
    fn other_units_that_failed_are_a_warning() {
        let name = NodeName::parse("east").unwrap();
        let failed = [failure(&name, "foo.service")];
        let Found::Warning(told) = others(Some(&failed)) else {
            panic!("no warning");
        };
        assert_eq!(
            told,
            "east: foo.service: `hardway ssh east systemctl status foo.service`"
        );
        assert!(matches!(others(Some(&[])), Found::Seen(_)));
        assert!(matches!(others(None), Found::Skip(_)));
    }
}
