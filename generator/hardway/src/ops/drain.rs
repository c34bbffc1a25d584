//! Empties a node before it goes: no new Pods, and the ones that it has are asked to
//! leave in a way that budgets (PodDisruptionBudget) may refuse.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::nodes;
use super::wait::{Look, words};
use kube::Client;
use model::topology::NodeName;

/// Lets no further Pod onto the node.
pub(super) fn cordon(client: &Client, node: &NodeName) -> Result<()> {
    client
        .merge(
            &format!("{}/{node}", nodes::NODES),
            &json!({ "spec": { "unschedulable": true } }),
        )
        .map(drop)
        .with_context(|| format!("cannot keep new Pods from {node}"))
}

/// A Pod that has to leave.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pod {
    namespace: String,
    name: String,
    /// It has been asked already.
    ends: bool,
    /// A controller makes another one elsewhere.
    owned: bool,
}

impl Pod {
    fn path(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }
}

/// The Pods that no controller makes again: they are gone with the node.
pub(super) fn orphans(client: &Client, node: &NodeName) -> Result<Vec<String>> {
    let pods = pods(client, node)?.into_iter();
    Ok(pods
        .filter(|pod| !pod.owned && !pod.ends)
        .map(|pod| pod.path())
        .collect())
}

/// Asks every Pod to leave that has not been asked; done once none is left.
pub(super) fn look(client: &Client, node: &NodeName) -> Look<()> {
    let left = match pods(client, node) {
        Ok(left) => left,
        // A busy control plane may be late once.
        Err(error) => return Look::Missing(words(&error)),
    };
    let mut waits = Vec::new();
    for pod in &left {
        waits.push(match pod.ends {
            true => format!("{} has not ended yet", pod.path()),
            false => match evict(client, pod) {
                Ok(()) => format!("{} is asked to end", pod.path()),
                Err(error) => format!("{} may not go yet: {}", pod.path(), words(&error)),
            },
        });
    }
    match waits.is_empty() {
        true => Look::Done(()),
        false => Look::Missing(waits.join("; ")),
    }
}

fn pods(client: &Client, node: &NodeName) -> Result<Vec<Pod>> {
    let answer = client.get(&format!(
        "/api/v1/pods?fieldSelector=spec.nodeName%3D{node}"
    ))?;
    let items = answer["items"]
        .as_array()
        .context("the list of Pods has no items")?;
    Ok(items.iter().filter_map(leaving).collect())
}

/// The Pod, unless it stays where it is: a DaemonSet's would come back at once, and a
/// static one is the kubelet's own.
fn leaving(pod: &Value) -> Option<Pod> {
    let metadata = &pod["metadata"];
    let owners = metadata["ownerReferences"].as_array();
    let owner = owners
        .into_iter()
        .flatten()
        .find(|owner| owner["controller"] == true);
    let is_static = metadata["annotations"]
        .get("kubernetes.io/config.mirror")
        .is_some();
    if is_static || owner.is_some_and(|owner| owner["kind"] == "DaemonSet") {
        return None;
    }
    let finished = ["Succeeded", "Failed"].map(Value::from);
    Some(Pod {
        namespace: metadata["namespace"].as_str()?.to_owned(),
        name: metadata["name"].as_str()?.to_owned(),
        ends: metadata.get("deletionTimestamp").is_some(),
        owned: owner.is_some() || finished.contains(&pod["status"]["phase"]),
    })
}

fn evict(client: &Client, pod: &Pod) -> Result<()> {
    let path = format!(
        "/api/v1/namespaces/{}/pods/{}/eviction",
        pod.namespace, pod.name
    );
    let eviction = json!({
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": { "namespace": pod.namespace, "name": pod.name },
    });
    match client.post(&path, &eviction) {
        // It went by itself.
        Err(error) if kube::status(&error) == Some(404) => Ok(()),
        answer => answer.map(drop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(owner: &Value, phase: &str) -> Value {
        json!({
            "metadata": { "namespace": "default", "name": "one", "ownerReferences": owner },
            "status": { "phase": phase },
        })
    }

    #[test]
    fn what_a_node_can_be_without_is_left_there() {
        let set = pod(
            &json!([{ "kind": "DaemonSet", "controller": true }]),
            "Running",
        );
        assert_eq!(leaving(&set), None);
        let mut mirror = pod(&json!([{ "kind": "Node", "controller": true }]), "Running");
        mirror["metadata"]["annotations"] = json!({ "kubernetes.io/config.mirror": "1" });
        assert_eq!(leaving(&mirror), None);
    }

    #[test]
    fn a_pod_without_a_controller_is_told_from_others() {
        let owned = |owner: Value, phase| leaving(&pod(&owner, phase)).unwrap().owned;
        assert!(owned(
            json!([{ "kind": "ReplicaSet", "controller": true }]),
            "Running"
        ));
        assert!(!owned(Value::Null, "Running"));
        assert!(!owned(json!([{ "kind": "ConfigMap" }]), "Running"));
        assert!(owned(Value::Null, "Succeeded"), "it is of no use any more");
    }
}
