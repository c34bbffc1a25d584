//! The cluster's names, as a Pod asks for them.

use std::net::ToSocketAddrs;
use std::sync::mpsc;
use std::time::Duration;

use anyhow::Result;

use super::pods::fetch;
use super::workload::NAME;
use super::{Bench, Found, seen};
use crate::ops::pods::Pod;
use crate::ops::wait::{Look, words};
use model::plan;
use model::topology::NetworkMode;

/// A name outside of the cluster: the registry that its own images come from.
const OUTSIDE: &str = "registry.k8s.io";
const HOST_LIMIT: Duration = Duration::from_secs(5);

/// From each Pod: a Service of another namespace by its full name, one of the Pod's
/// own by its short name, and a name of the internet if this host knows it.
pub(super) fn names(bench: &Bench<'_>, pods: &[Pod]) -> Result<Found> {
    if bench.topology.network.mode == NetworkMode::User && bench.topology.workers().count() > 1 {
        return Ok(Found::Skip(
            "network.mode is user: Pods do not reach a CoreDNS on another node".to_owned(),
        ));
    }
    let api = format!("kubernetes.default.svc.{}", bench.topology.domain);
    let api_address = bench.topology.service_address(1).to_string();
    let outside = host_resolves(OUTSIDE);
    for pod in pods {
        // The final dot: this very name, and nothing of the search path.
        ask(bench, pod, &format!("nslookup {api}."), |answer| {
            addresses(answer).contains(&api_address.as_str())
        })?;
        // Through the search path that the kubelet wrote, as any program does.
        ask(bench, pod, &fetch(NAME, 80), |page| {
            pods.iter().any(|pod| pod.name == page.trim())
        })?;
        if outside {
            ask(bench, pod, &format!("nslookup {OUTSIDE}."), |answer| {
                !addresses(answer).is_empty()
            })?;
        }
    }
    seen(format!(
        "{api}, {NAME}{} from {} Pods, asking {}",
        if outside {
            format!(", {OUTSIDE}")
        } else {
            " (and no name of the internet, since this host resolves none)".to_owned()
        },
        pods.len(),
        plan::dns_address(bench.topology),
    ))
}

/// Runs a command in the Pod until its answer is right: names follow their Services a
/// moment later.
fn ask(bench: &Bench<'_>, pod: &Pod, command: &str, right: impl Fn(&str) -> bool) -> Result<()> {
    let what = format!("the answer to `{command}` in {} on {}", pod.name, pod.node);
    bench.wait(&what, bench.limits.command()).until(|| {
        Ok(match bench.in_pod(pod, &format!("{command} 2>&1; true")) {
            Ok(answer) if right(&answer) => Look::Done(()),
            Ok(answer) => {
                let words: Vec<&str> = answer.split_whitespace().collect();
                Look::Missing(format!("it says {:?}", words.join(" ")))
            }
            Err(error) => Look::Missing(words(&error)),
        })
    })
}

/// The addresses that nslookup prints below the names that it found; the server's own
/// comes first, without a name.
fn addresses(answer: &str) -> Vec<&str> {
    answer
        .lines()
        .skip_while(|line| !line.starts_with("Name:"))
        .filter_map(|line| line.strip_prefix("Address:"))
        .map(str::trim)
        .collect()
}

/// The resolver has no limit of its own: it gets a thread, which the process outlives.
fn host_resolves(name: &'static str) -> bool {
    let (report, outcome) = mpsc::channel();
    std::thread::spawn(move || {
        let resolved = (name, 443).to_socket_addrs();
        let _ = report.send(resolved.is_ok_and(|mut addresses| addresses.next().is_some()));
    });
    outcome.recv_timeout(HOST_LIMIT).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_busybox_prints() {
        let answer = "Server:\t\t10.32.0.10\nAddress:\t10.32.0.10:53\n\n\
                      ** server can't find echo.cluster.local: NXDOMAIN\n\n\
                      Name:\techo.hardway-verify.svc.cluster.local\nAddress: 10.32.0.77\n\n";
        assert_eq!(addresses(answer), ["10.32.0.77"]);
        let refused = "Server:\t\t10.32.0.10\nAddress:\t10.32.0.10:53\n\n\
                       ** server can't find echo: NXDOMAIN\n";
        assert!(addresses(refused).is_empty());
        assert!(addresses(";; connection timed out; no servers could be reached\n").is_empty());
    }
}
