//! The cluster's Nodes as the API server shows them, reduced to what is asked here.

use anyhow::{Context, Result, anyhow};
use serde::Serialize;
use serde_json::{Value, json};

use common::report::WithHint;
use kube::Client;
use model::topology::{Node, NodeName};

pub(super) const NODES: &str = "/api/v1/nodes";

/// One registered Node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Registered {
    pub name: String,
    pub ready: bool,
    /// Why it is not Ready, in the kubelet's words.
    pub reason: Option<String>,
    /// The kubelet's version.
    pub version: String,
    #[serde(rename = "internalIPs")]
    pub internal_ips: Vec<String>,
    #[serde(rename = "podCIDR")]
    pub pod_cidr: Option<String>,
    /// The kernel's name for the boot in which the kubelet reported last.
    #[serde(skip)]
    pub boot_id: String,
}

/// Every registered Node, in the server's order (by name).
pub(super) fn list(client: &Client) -> Result<Vec<Registered>> {
    let answer = client.get(NODES)?;
    let items = answer["items"]
        .as_array()
        .context("the list of Nodes has no items")?;
    Ok(items.iter().map(registered).collect())
}

fn registered(node: &Value) -> Registered {
    let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
    let items = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let condition = items(&node["status"]["conditions"])
        .into_iter()
        .find(|condition| condition["type"] == "Ready");
    let ready = condition
        .as_ref()
        .is_some_and(|condition| condition["status"] == "True");
    Registered {
        name: text(&node["metadata"]["name"]).unwrap_or_default(),
        ready,
        reason: match condition {
            _ if ready => None,
            Some(condition) => text(&condition["message"]),
            None => Some("the kubelet has not reported yet".to_owned()),
        },
        version: text(&node["status"]["nodeInfo"]["kubeletVersion"]).unwrap_or_default(),
        internal_ips: items(&node["status"]["addresses"])
            .iter()
            .filter(|address| address["type"] == "InternalIP")
            .filter_map(|address| text(&address["address"]))
            .collect(),
        pod_cidr: text(&node["spec"]["podCIDR"]),
        boot_id: text(&node["status"]["nodeInfo"]["bootID"]).unwrap_or_default(),
    }
}

/// Removes a Node; it need not be there.
pub(super) fn delete(client: &Client, name: &NodeName) -> Result<()> {
    match client.delete(&format!("{NODES}/{name}")) {
        Err(error) if kube::status(&error) != Some(404) => {
            Err(error).with_context(|| format!("cannot delete the Node {name}"))
        }
        _ => Ok(()),
    }
}

/// Gives a Node without a Pods' range the one that the plan has for it: with the
/// bridge plugin nobody else does.
pub(super) fn set_pod_cidr(client: &Client, node: &Node, found: &Registered) -> Result<()> {
    if found.pod_cidr.is_some() {
        return Ok(());
    }
    let planned = node.pod_cidr.to_string();
    client
        .merge(
            &format!("{NODES}/{}", node.name),
            &json!({ "spec": { "podCIDR": planned, "podCIDRs": [planned] } }),
        )
        .map(drop)
        .with_context(|| format!("cannot give {} its Pods' range {planned}", node.name))
}

/// Fails when a Node has another range than the plan's: Kubernetes lets it be set once.
pub(super) fn check_pod_cidr(node: &Node, found: &Registered) -> Result<()> {
    let planned = node.pod_cidr.to_string();
    match &found.pod_cidr {
        Some(cidr) if *cidr != planned => Err(anyhow!(
            "the Node {} has the Pods' range {cidr}, and the plan has {planned}",
            node.name
        ))
        .hint(format!(
            "the range of a Node can't change: `hardway kubectl delete node {0}`, then `hardway install {0}`",
            node.name
        )),
        _ => Ok(()),
    }
}

/// What keeps the planned `nodes` from being Ready, one text a node; empty when all are.
pub(super) fn missing(nodes: &[&Node], registered: &[Registered]) -> Vec<String> {
    nodes
        .iter()
        .filter_map(|node| {
            match registered
                .iter()
                .find(|found| found.name == node.name.as_str())
            {
                None => Some(format!("{} has not registered", node.name)),
                Some(found) if !found.ready => Some(format!(
                    "{} is not Ready: {}",
                    node.name,
                    found.reason.as_deref().unwrap_or("no reason given")
                )),
                Some(_) => None,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::plan::sample;
    use model::topology::{Cni, NetworkMode};

    #[test]
    fn reads_a_node_as_the_api_server_writes_it() {
        let found = registered(&json!({
            "metadata": { "name": "sigma" },
            "spec": { "podCIDR": "10.200.21.0/24" },
            "status": {
                "addresses": [
                    { "type": "InternalIP", "address": "10.240.0.21" },
                    { "type": "Hostname", "address": "sigma" },
                ],
                "conditions": [
                    { "type": "MemoryPressure", "status": "False" },
                    { "type": "Ready", "status": "False", "message": "cni plugin not initialized" },
                ],
                "nodeInfo": { "kubeletVersion": "v1.36.3", "bootID": "0d3c" },
            },
        }));
        assert_eq!(
            found,
            Registered {
                name: "sigma".into(),
                ready: false,
                reason: Some("cni plugin not initialized".into()),
                version: "v1.36.3".into(),
                internal_ips: vec!["10.240.0.21".into()],
                pod_cidr: Some("10.200.21.0/24".into()),
                boot_id: "0d3c".into(),
            }
        );
    }

    #[test]
    fn names_each_node_that_is_missing() {
        let topology = sample::topology(Cni::Bridge, NetworkMode::Segment);
        let workers: Vec<&Node> = topology.workers().collect();
        let mut east = registered(&json!({ "metadata": { "name": "east" } }));
        assert_eq!(
            missing(&workers, std::slice::from_ref(&east)),
            [
                "east is not Ready: the kubelet has not reported yet",
                "west has not registered"
            ]
        );
        east.ready = true;
        assert_eq!(missing(&workers, &[east]), ["west has not registered"]);
    }
}
