//! Who may do what: requests without a certificate, and with a kubelet's.

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{Bench, Found, seen};
use crate::ops::api;
use kube::Client;
use model::topology::Node;
use pki::{self, Identity};

const NODES: &str = "/api/v1/nodes";
const SECRETS: &str = "/api/v1/namespaces/kube-system/secrets";

/// Without a certificate nothing is to be read; with the administrator's it is.
pub(super) fn anonymous(bench: &Bench<'_>) -> Result<Found> {
    let ca = pki::admin_identity(bench.paths)?.ca_pem;
    let nobody = Client::anonymous(bench.topology.api_port, &ca, bench.limits.request())?;
    let mut statuses = Vec::new();
    for path in [NODES, SECRETS] {
        bench
            .admin
            .get(path)
            .with_context(|| format!("control: the administrator and {path}"))?;
        statuses.push(refused(
            nobody.get(path),
            &format!("GET {path} without a certificate"),
        )?);
    }
    seen(format!("HTTP {statuses:?}"))
}

/// A worker's kubelet reads its own Node, and neither Secrets that no Pod of its
/// node uses nor changes another Node. Nothing is really written (`dryRun=All`).
pub(super) fn kubelet(bench: &Bench<'_>) -> Result<Found> {
    let mut workers = bench.topology.workers();
    let own = workers.next().context("cluster.json has no worker")?;
    let other = workers.next().map(|node| node.name.as_str());
    let identity = kubelet_identity(bench, own)?;
    let kubelet = api::client(bench.topology.api_port, &identity, bench.limits.request())?;
    kubelet
        .get(&format!("{NODES}/{}", own.name))
        .with_context(|| format!("control: {}'s kubelet reads its own Node", own.name))?;

    let who = format!("{}'s kubelet", own.name);
    let label = json!({ "metadata": { "labels": { "hardway.test/verify": "reached" } } });
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": { "name": "hardway-verify" },
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": "cluster-admin",
        },
        "subjects": [{
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "Group",
            "name": "system:nodes",
        }],
    });
    refused(kubelet.get(SECRETS), &format!("{who} listing Secrets"))?;
    let other = match other {
        Some(other) => {
            let changed = kubelet.merge(&format!("{NODES}/{other}?dryRun=All"), &label);
            refused(changed, &format!("{who} changing the Node {other}"))?;
            other
        }
        // The only worker's kubelet has no other Node to change: it may make none either.
        None => {
            let other = "hardway-verify";
            let node = json!({ "metadata": { "name": other } });
            let made = kubelet.post(&format!("{NODES}?dryRun=All"), &node);
            refused(made, &format!("{who} making a Node {other}"))?;
            other
        }
    };
    refused(
        kubelet.post(
            "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings?dryRun=All",
            &binding,
        ),
        &format!("{who} making itself cluster-admin"),
    )?;
    seen(format!(
        "{who}: Secrets, the Node {other} and RBAC are refused"
    ))
}

/// The identity that a worker's kubelet has, from the state folder.
fn kubelet_identity(bench: &Bench<'_>, node: &Node) -> Result<Identity> {
    let read = |name: String| {
        let path = bench.paths.pki().join(name);
        std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    };
    Ok(Identity {
        certificate_pem: read(format!("kubelet-client-{}.pem", node.name))?,
        key_pem: Zeroizing::new(read(format!("kubelet-client-{}-key.pem", node.name))?),
        ca_pem: read("ca.pem".to_owned())?,
    })
}

/// The status, 401 or 403, with which something was refused; an error when it was not.
fn refused(result: Result<Value>, what: &str) -> Result<u16> {
    match result {
        Ok(_) => bail!("{what} is allowed"),
        Err(error) => match kube::status(&error) {
            Some(status @ (401 | 403)) => Ok(status),
            _ => Err(error.context(format!("{what} is not refused but fails"))),
        },
    }
}
