//! Whom Pods trust: they read it when they start, so what hardway itself installs starts
//! again before the old authority goes.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Run;
use crate::ops::api;
use crate::ops::install::Site;
use crate::ops::machines;
use crate::ops::wait::{Look, Wait};
use kube::Client;

impl Run<'_> {
    /// Starts the cluster's own Pods again, one after the other, once the new authority is
    /// in what Pods are given.
    pub(super) fn pods(&self) -> Result<()> {
        let Site {
            paths,
            topology,
            progress,
            ..
        } = self.site;
        let limits = machines::limits(paths)?;
        let admin = api::client(
            topology.api_port,
            &pki::admin_identity(paths)?,
            limits.request(),
        )?;
        let task = progress.task("cluster");
        task.stage("pods");
        let wanted = pki::admin_identity(paths)?.ca_pem;
        self.wait("Pods to be given the new authority", limits.pods(), || {
            let given = admin.get(GIVEN)?;
            let same = given["data"]["ca.crt"].as_str().map(str::trim) == Some(wanted.trim());
            Ok(match same {
                true => Vec::new(),
                false => vec!["kube-root-ca.crt holds the old one alone".to_owned()],
            })
        })?;
        let now = OffsetDateTime::now_utc().format(&Rfc3339)?;
        let mark = json!({ "spec": { "template": { "metadata": { "annotations": {
            "kubectl.kubernetes.io/restartedAt": now,
        } } } } });
        for kind in KINDS {
            for one in list(&admin, kind)? {
                let name = one["metadata"]["name"].as_str().unwrap_or_default();
                admin
                    .merge(&format!("{SYSTEM}/{kind}/{name}"), &mark)
                    .with_context(|| format!("cannot start {kind}/{name} again"))?;
            }
        }
        self.wait(
            "the cluster's own Pods to start again",
            limits.dns(),
            || {
                let mut late = Vec::new();
                for kind in KINDS {
                    let all = list(&admin, kind)?;
                    late.extend(all.iter().filter_map(|one| behind(kind, one)));
                }
                Ok(late)
            },
        )?;
        task.done();
        Ok(())
    }

    fn wait(
        &self,
        what: &str,
        limit: Duration,
        mut look: impl FnMut() -> Result<Vec<String>>,
    ) -> Result<()> {
        let limits = machines::limits(self.site.paths)?;
        Wait {
            what,
            limit,
            pause: limits.pause(),
            interrupt: self.site.interrupt,
            logs: Vec::new(),
            hint: None,
        }
        .until(|| Ok(Look::of(look())))
    }
}

/// What the controller manager gives every Pod of the namespace to trust.
const GIVEN: &str = "/api/v1/namespaces/kube-system/configmaps/kube-root-ca.crt";
const SYSTEM: &str = "/apis/apps/v1/namespaces/kube-system";
const KINDS: [&str; 2] = ["daemonsets", "deployments"];

fn list(admin: &Client, kind: &str) -> Result<Vec<Value>> {
    let answer = admin.get(&format!("{SYSTEM}/{kind}"))?;
    let items = answer["items"].as_array();
    Ok(items
        .with_context(|| format!("the list of {kind} has no items"))?
        .clone())
}

/// What of a Deployment or DaemonSet has not started again yet.
fn behind(kind: &str, one: &Value) -> Option<String> {
    let (status, name) = (&one["status"], one["metadata"]["name"].as_str()?);
    let count = |field: &str| status[field].as_i64().unwrap_or(0);
    let (wanted, new, available) = match kind {
        "daemonsets" => (
            count("desiredNumberScheduled"),
            count("updatedNumberScheduled"),
            count("numberAvailable"),
        ),
        _ => (
            one["spec"]["replicas"].as_i64().unwrap_or(1),
            count("updatedReplicas"),
            count("availableReplicas"),
        ),
    };
    let seen = count("observedGeneration") >= one["metadata"]["generation"].as_i64().unwrap_or(0);
    (!seen || new < wanted || available < wanted)
        .then(|| format!("{kind}/{name}: {new} of {wanted} new, {available} available"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workload_is_behind_until_its_last_version_serves() {
        let mut deployment = json!({
            "metadata": { "name": "coredns", "generation": 3 },
            "spec": { "replicas": 2 },
            "status": { "observedGeneration": 2, "updatedReplicas": 2, "availableReplicas": 2 },
        });
        assert!(behind("deployments", &deployment).is_some());
        deployment["status"]["observedGeneration"] = json!(3);
        assert_eq!(behind("deployments", &deployment), None);
        deployment["status"]["availableReplicas"] = json!(1);
        assert_eq!(
            behind("deployments", &deployment).as_deref(),
            Some("deployments/coredns: 2 of 2 new, 1 available")
        );
        let daemons = json!({
            "metadata": { "name": "cilium" },
            "status": {
                "desiredNumberScheduled": 2, "updatedNumberScheduled": 1, "numberAvailable": 2,
            },
        });
        assert_eq!(
            behind("daemonsets", &daemons).as_deref(),
            Some("daemonsets/cilium: 1 of 2 new, 2 available")
        );
    }
}
