//! The way to Pods and between them.

use anyhow::{Result, bail};

use super::workload::{NAMESPACE, PORT, cluster_ip};
use super::{Bench, Found, seen};
use crate::ops::pods::Pod;
use crate::ops::wait::{Look, words};
use model::topology::NetworkMode;

/// How long one fetch inside a Pod may take, in seconds.
const FETCH_SECONDS: u32 = 15;

/// API server → kubelet → containerd's log, on each worker.
pub(super) fn logs(bench: &Bench<'_>, pods: &[Pod]) -> Result<Found> {
    for pod in pods {
        let log = bench.kubectl(&["logs", "-n", NAMESPACE, &pod.name])?;
        if !log.contains(&format!("{} serves", pod.name)) {
            bail!("the log of {} on {} is {log:?}", pod.name, pod.node);
        }
    }
    seen(format!("{} Pods", pods.len()))
}

/// A command in a Pod, on each worker.
pub(super) fn exec(bench: &Bench<'_>, pods: &[Pod]) -> Result<Found> {
    for pod in pods {
        let name = bench.in_pod(pod, "hostname")?;
        if name.trim() != pod.name {
            bail!("`hostname` in {} on {} says {name:?}", pod.name, pod.node);
        }
    }
    seen(format!("{} Pods", pods.len()))
}

/// Each Pod fetches the next one's page, so each worker is once the sender and once the receiver.
pub(super) fn pod_to_pod(bench: &Bench<'_>, pods: &[Pod]) -> Result<Found> {
    if bench.topology.network.mode == NetworkMode::User {
        return Ok(Found::Skip(
            "network.mode is user: Pods on different nodes can't talk".to_owned(),
        ));
    }
    if pods.len() < 2 {
        return Ok(Found::Skip("there is one worker".to_owned()));
    }
    let mut ways = Vec::new();
    for (from, to) in pods.iter().zip(pods.iter().cycle().skip(1)) {
        let page = bench.in_pod(from, &fetch(&to.address, PORT))?;
        if page.trim() != to.name {
            bail!("{} on {} answers {page:?}", to.address, to.node);
        }
        ways.push(format!("{} to {}", from.node, to.node));
    }
    seen(ways.join(", "))
}

/// The ClusterIP answers from each Pod. The rules that make it up follow the
/// Pods' readiness a moment later, hence the second look.
pub(super) fn service(bench: &Bench<'_>, pods: &[Pod]) -> Result<Found> {
    let address = cluster_ip(bench)?;
    for pod in pods {
        let what = format!("{address} to answer {}", pod.name);
        bench.wait(&what, bench.limits.command()).until(|| {
            Ok(match bench.in_pod(pod, &fetch(&address, 80)) {
                Ok(page) if pods.iter().any(|pod| pod.name == page.trim()) => Look::Done(()),
                Ok(page) => Look::Lost(format!("it answers {page:?}")),
                Err(error) => Look::Missing(words(&error)),
            })
        })?;
    }
    seen(format!("{address} from {} Pods", pods.len()))
}

/// A shell command that prints the page there; `host` is an address or a name.
pub(super) fn fetch(host: &str, port: u16) -> String {
    format!("wget -q -T {FETCH_SECONDS} -O - http://{host}:{port}/")
}
