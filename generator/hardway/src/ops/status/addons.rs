//! What runs in the cluster for the cluster: CoreDNS, and Cilium where it is the network.

use std::time::Instant;

use anyhow::Result;
use serde::Serialize;
use serde_json::Value;

use crate::ops::dns;
use crate::ops::wait::words;
use kube::Client;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    CoreDns,
    Cilium,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Addon {
    pub name: &'static str,
    pub installed: bool,
    pub ready: bool,
    /// How many of its Pods serve, and how many there should be.
    pub available: u64,
    pub wanted: u64,
    /// Its image's tag.
    pub version: Option<String>,
    /// Why it is not ready.
    pub reason: Option<String>,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::CoreDns => "CoreDNS",
            Kind::Cilium => "Cilium",
        }
    }

    fn path(self) -> &'static str {
        match self {
            Kind::CoreDns => dns::DEPLOYMENT,
            Kind::Cilium => "/apis/apps/v1/namespaces/kube-system/daemonsets/cilium",
        }
    }

    /// Before `end`; a second question, about an addon that is not ready, only while
    /// there is time.
    pub(super) fn ask(self, client: &Client, end: Instant) -> Addon {
        let look = || -> Result<Addon> {
            let found = client.find(self.path())?;
            let mut addon = self.read(found.as_ref());
            let left = end.saturating_duration_since(Instant::now());
            if self == Kind::CoreDns && addon.installed && !addon.ready && !left.is_zero() {
                let why = dns::waiting(&client.within(left));
                addon.reason = why.ok().or(addon.reason);
            }
            Ok(addon)
        };
        look().unwrap_or_else(|error| Addon {
            installed: true,
            reason: Some(words(&error)),
            ..self.read(None)
        })
    }

    /// A Deployment or a DaemonSet in the API server's words.
    fn read(self, found: Option<&Value>) -> Addon {
        let Some(found) = found else {
            return Addon {
                name: self.name(),
                installed: false,
                ready: false,
                available: 0,
                wanted: 0,
                version: None,
                reason: None,
            };
        };
        let status = &found["status"];
        let number = |value: &Value| value.as_u64().unwrap_or(0);
        let (available, wanted, ready) = match self {
            Kind::CoreDns => (
                number(&status["availableReplicas"]),
                number(&found["spec"]["replicas"]),
                dns::is_available(found),
            ),
            Kind::Cilium => {
                let (ready, wanted) = (
                    number(&status["numberReady"]),
                    number(&status["desiredNumberScheduled"]),
                );
                (ready, wanted, wanted > 0 && ready >= wanted)
            }
        };
        let image = found["spec"]["template"]["spec"]["containers"][0]["image"].as_str();
        Addon {
            name: self.name(),
            installed: true,
            ready,
            available,
            wanted,
            version: image.and_then(tag),
            reason: (!ready).then(|| format!("{available} of {wanted} Pods are ready")),
        }
    }
}

/// `1.14.3` of `registry:5000/coredns:1.14.3@sha256:…`.
fn tag(image: &str) -> Option<String> {
    let (name, _) = image.split_once('@').unwrap_or((image, ""));
    let (_, tag) = name.rsplit_once(':')?;
    (!tag.contains('/')).then(|| tag.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_daemon_set_is_ready_on_every_node_or_not() {
        let mut found = json!({
            "spec": { "template": { "spec": { "containers": [
                { "image": "quay.io:443/cilium/cilium:v1.19.3@sha256:00" },
            ] } } },
            "status": { "desiredNumberScheduled": 2, "numberReady": 1 },
        });
        let addon = Kind::Cilium.read(Some(&found));
        assert_eq!(
            (
                addon.ready,
                addon.version.as_deref(),
                addon.reason.as_deref()
            ),
            (false, Some("v1.19.3"), Some("1 of 2 Pods are ready"))
        );
        found["status"]["numberReady"] = json!(2);
        assert!(Kind::Cilium.read(Some(&found)).ready);
        // Before the controller has counted.
        found["status"] = json!({});
        assert!(!Kind::Cilium.read(Some(&found)).ready);
        assert!(!Kind::Cilium.read(None).installed);
    }

    #[test]
    fn a_port_is_no_tag() {
        assert_eq!(tag("registry:5000/coredns"), None);
        assert_eq!(tag("coredns/coredns:1.14.3").as_deref(), Some("1.14.3"));
    }
}
