//! The cluster's DNS: what `up` applies, and whether it serves.

use anyhow::{Context, Result};
use serde_json::Value;

use super::manifest::Manifest;
use super::pods;
use super::wait::{Look, words};
use common::state::Paths;
use kube::Client;

pub(super) const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/kube-system/deployments/coredns";
const PODS: &str = "/api/v1/namespaces/kube-system/pods?labelSelector=k8s-app%3Dkube-dns";

/// Creates CoreDNS, or gives it back what hosts/addons/coredns.yaml says.
pub(super) fn apply(paths: &Paths, admin: &Client) -> Result<()> {
    Manifest::read(paths.hosts().join("addons/coredns.yaml"))?.apply(admin)
}

/// Whether it serves: one Pod that is ready is enough.
pub(super) fn look(admin: &Client) -> Look<()> {
    let missing = || {
        if is_available(&admin.get(DEPLOYMENT)?) {
            return Ok(None);
        }
        waiting(admin).map(Some)
    };
    match missing() {
        Ok(None) => Look::Done(()),
        Ok(Some(missing)) => Look::Missing(missing),
        // A busy control plane may be late once.
        Err(error) => Look::Missing(words(&error)),
    }
}

/// Why its Pods are not ready.
pub(super) fn waiting(admin: &Client) -> Result<String> {
    let list = admin.get(PODS)?;
    let pods = list["items"]
        .as_array()
        .context("the list of Pods has no items")?;
    Ok(pods::waiting(pods))
}

/// The Deployment's own word, unless it is about an older version of it.
pub(super) fn is_available(deployment: &Value) -> bool {
    let status = &deployment["status"];
    let conditions = status["conditions"].as_array().into_iter().flatten();
    status["observedGeneration"].as_i64() >= deployment["metadata"]["generation"].as_i64()
        && status["availableReplicas"].as_i64() > Some(0)
        && conditions
            .into_iter()
            .any(|condition| condition["type"] == "Available" && condition["status"] == "True")
}

/// What `up` says instead of failing: the nodes are Ready, and Pods run without names.
pub(super) fn warning(error: &anyhow::Error) -> String {
    format!(
        "warning: every node is Ready, but the cluster's names do not resolve yet: {}. \
         `hardway kubectl -n kube-system describe pods -l k8s-app=kube-dns` says more; \
         `hardway up` waits on.",
        words(error)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_deployment_serves_once_it_says_so_of_its_last_version() {
        let mut deployment = json!({
            "metadata": { "generation": 2 },
            "status": {
                "observedGeneration": 2,
                "availableReplicas": 1,
                "conditions": [{ "type": "Available", "status": "True" }],
            },
        });
        assert!(is_available(&deployment));
        deployment["status"]["observedGeneration"] = json!(1);
        assert!(!is_available(&deployment));
        deployment["status"] = json!({});
        assert!(!is_available(&deployment));
        // Scaled to nothing, a Deployment calls itself available.
        deployment["status"] = json!({
            "observedGeneration": 2,
            "conditions": [{ "type": "Available", "status": "True" }],
        });
        assert!(!is_available(&deployment));
    }
}
