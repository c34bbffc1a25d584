//! What verify runs in the cluster: one namespace, one Deployment with a Pod on
//! each worker, one Service in front of it.

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::{Bench, Found, seen};
use crate::ops::pods::{Pod, ready, waiting};
use crate::ops::wait::Look;
use model::topology::Node;

pub(super) const NAMESPACE: &str = "hardway-verify";
pub(super) const NAME: &str = "echo";
/// Where each Pod serves its name.
pub(super) const PORT: u16 = 8080;
const IMAGE: &str = "docker.io/library/busybox:1.37";

fn namespace_path() -> String {
    format!("/api/v1/namespaces/{NAMESPACE}")
}

/// Removes the namespace and all in it, and waits until it is gone.
pub(super) fn remove(bench: &Bench<'_>) -> Result<Found> {
    let path = namespace_path();
    let Some(_) = bench.admin.find(&path)? else {
        return seen("nothing was there");
    };
    bench.admin.delete(&path)?;
    bench
        .wait(
            &format!("the namespace {NAMESPACE} to go"),
            bench.limits.pods(),
        )
        .until(|| {
            Ok(match bench.admin.find(&path)? {
                None => Look::Done(()),
                Some(found) => Look::Missing(remaining(&found)),
            })
        })?;
    seen(format!("the namespace {NAMESPACE} is gone"))
}

/// What keeps a namespace from going, in the server's words.
fn remaining(namespace: &Value) -> String {
    namespace["status"]["conditions"]
        .as_array()
        .into_iter()
        .flatten()
        .rev()
        .filter(|condition| condition["status"] == "True")
        .find_map(|condition| condition["message"].as_str())
        .unwrap_or("it is still being removed")
        .to_owned()
}

/// Creates everything, and waits until a Pod runs on each worker.
pub(super) fn deploy(bench: &Bench<'_>) -> Result<Vec<Pod>> {
    let workers: Vec<&Node> = bench.topology.workers().collect();
    let admin = &bench.admin;
    let namespace = json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": { "name": NAMESPACE },
    });
    admin.post("/api/v1/namespaces", &namespace)?;
    admin.post(
        &format!("/apis/apps/v1/namespaces/{NAMESPACE}/deployments"),
        &deployment(workers.len()),
    )?;
    admin.post(&format!("{}/services", namespace_path()), &service())?;
    let pods = bench
        .wait("the Deployment's Pods to run", bench.limits.pods())
        .until(|| {
            let list = admin.get(&format!("{}/pods", namespace_path()))?;
            let items = list["items"]
                .as_array()
                .context("the list of Pods has no items")?;
            let pods: Vec<Pod> = items.iter().filter_map(ready).collect();
            if pods.len() == workers.len() {
                return Ok(Look::Done(pods));
            }
            Ok(Look::Missing(format!(
                "{} of {} run; {}",
                pods.len(),
                workers.len(),
                waiting(items)
            )))
        })?;
    for worker in workers {
        if !pods.iter().any(|pod| pod.node == worker.name.as_str()) {
            bail!("no Pod is on {}: {}", worker.name, placement(&pods));
        }
    }
    Ok(pods)
}

/// e.g. `10.200.21.4 on sigma, 10.200.22.3 on gamma`.
pub(super) fn placement(pods: &[Pod]) -> String {
    let places: Vec<String> = pods
        .iter()
        .map(|pod| format!("{} on {}", pod.address, pod.node))
        .collect();
    places.join(", ")
}

fn service() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": { "name": NAME },
        "spec": {
            "selector": { "app": NAME },
            "ports": [{ "port": 80, "targetPort": PORT }],
        },
    })
}

/// Each Pod serves its host name (its own name) and says so in its log. No two on one node.
fn deployment(replicas: usize) -> Value {
    let script = format!(
        "mkdir -p /tmp/www && hostname > /tmp/www/index.html && \
         echo \"$(hostname) serves\" && exec httpd -f -p {PORT} -h /tmp/www"
    );
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": { "name": NAME },
        "spec": {
            "replicas": replicas,
            "selector": { "matchLabels": { "app": NAME } },
            "template": {
                "metadata": { "labels": { "app": NAME } },
                "spec": {
                    "affinity": { "podAntiAffinity": {
                        "requiredDuringSchedulingIgnoredDuringExecution": [{
                            "labelSelector": { "matchLabels": { "app": NAME } },
                            "topologyKey": "kubernetes.io/hostname",
                        }],
                    } },
                    "automountServiceAccountToken": false,
                    // Nothing to save: the namespace is gone a grace period earlier.
                    "terminationGracePeriodSeconds": 0,
                    "containers": [{
                        "name": NAME,
                        "image": IMAGE,
                        "imagePullPolicy": "IfNotPresent",
                        "command": ["sh", "-c", script],
                        "ports": [{ "containerPort": PORT }],
                        "readinessProbe": {
                            "httpGet": { "path": "/", "port": PORT },
                            "periodSeconds": 2,
                            "timeoutSeconds": 5,
                        },
                    }],
                },
            },
        },
    })
}

/// The Service's ClusterIP.
pub(super) fn cluster_ip(bench: &Bench<'_>) -> Result<String> {
    let found = bench
        .admin
        .get(&format!("{}/services/{NAME}", namespace_path()))?;
    let address = found["spec"]["clusterIP"].as_str();
    address
        .map(ToOwned::to_owned)
        .context("the Service has no address")
}
