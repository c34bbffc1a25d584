//! Whether a Node's "Ready" is about now.
//!
//! etcd keeps what the kubelets said before a shutdown: right after a start every
//! Node is Ready, until the controllers notice the silence 40 s later. So a Ready
//! counts once the kubelet has spoken since its machine was started (the same
//! boot id), and, where this run started anything, since the run began (a new lease).

use std::collections::BTreeMap;

use anyhow::{Context, Result};

use super::at_once::at_once;
use super::limits::Limits;
use super::machines::in_guest;
use super::nodes::Registered;
use common::state::Paths;
use kube::Client;
use model::topology::Node;

const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases";

/// When each kubelet last renewed its lease, in the server's words, by node.
pub(super) type Leases = BTreeMap<String, String>;

pub(super) fn leases(client: &Client) -> Result<Leases> {
    let answer = client.get(LEASES)?;
    let items = answer["items"]
        .as_array()
        .context("the list of Leases has no items")?;
    Ok(items
        .iter()
        .filter_map(|lease| {
            let name = lease["metadata"]["name"].as_str()?;
            let renewed = lease["spec"]["renewTime"].as_str()?;
            Some((name.to_owned(), renewed.to_owned()))
        })
        .collect())
}

/// What keeps `nodes` from counting, one text a node. `before`: the leases at this
/// run's first look, where it started a machine.
pub(super) fn stale(
    paths: &Paths,
    client: &Client,
    limits: Limits,
    nodes: &[&Node],
    registered: &[Registered],
    before: Option<&Leases>,
) -> Result<Vec<String>> {
    let now = match before {
        Some(_) => leases(client)?,
        None => Leases::new(),
    };
    let boots = at_once(nodes, |node| boot_id(paths, node, limits));
    let mut stale = Vec::new();
    for (node, boot) in nodes.iter().zip(boots) {
        let name = node.name.as_str();
        if before.is_some_and(|before| before.get(name) == now.get(name)) {
            stale.push(format!("{name}'s kubelet has not renewed its lease yet"));
            continue;
        }
        let reported = registered.iter().find(|found| found.name == name);
        if reported.map(|found| found.boot_id.as_str()) != Some(&boot?) {
            stale.push(format!(
                "{name}'s kubelet has not reported since its machine was started"
            ));
        }
    }
    Ok(stale)
}

/// The kernel's name for this boot of the guest.
fn boot_id(paths: &Paths, node: &Node, limits: Limits) -> Result<String> {
    let script = "read -r id </proc/sys/kernel/random/boot_id && echo \"$id\"";
    let output = in_guest(paths, node, &["/bin/sh", "-c", script], limits.command())?;
    Ok(output.stdout.trim().to_owned())
}
