//! `hardway verify`: the cluster's own smoke test, seen from where a user stands.
//!
//! Every check that says "refused" or "does not reach" has a control beside it
//! that shows the same way open to whoever may use it; without that a broken
//! network would pass.

mod dns;
mod etcd;
mod identity;
mod loopback;
mod machines;
mod pods;
mod workload;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use serde::Serialize;

use super::interrupt::Interrupt;
use super::limits::Limits;
use super::pods::Pod;
use super::wait::Wait;
use super::{child, lock, tools};
use crate::ops::api;
use kube::Client;

use common::report::{WithHint, render};
use common::state::Paths;
use model::plan::{self, Plan};
use model::topology::{Node, NodeName, Topology};

/// What every check has at hand.
struct Bench<'a> {
    paths: &'a Paths,
    topology: &'a Topology,
    plan: &'a Plan,
    admin: Client,
    limits: Limits,
    interrupt: &'a Interrupt,
    kubectl: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Passed,
    Failed,
    /// Something is wrong that is not the cluster's: the detail says what.
    Warning,
    /// It can't be tried, and need not be: the detail says why.
    Skipped,
}

/// One check's result.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    pub check: &'static str,
    pub verdict: Verdict,
    pub seconds: f64,
    /// What was seen, or what went wrong.
    pub detail: String,
}

/// What a check that did not fail found.
enum Found {
    /// What was seen.
    Seen(String),
    Warning(String),
    Skip(String),
}

fn seen(detail: impl Into<String>) -> Result<Found> {
    Ok(Found::Seen(detail.into()))
}

/// Runs every check; each outcome goes to `report` as it comes. All of them run,
/// also after one has failed: one run tells the whole state.
pub fn verify(
    paths: &Paths,
    topology: &Topology,
    report: &mut dyn FnMut(&Outcome),
) -> Result<Vec<Outcome>> {
    lock::hold(paths, "verify", || {
        locked(paths, topology, &Interrupt::install()?, report)
    })
}

/// The same, for a run that holds the cluster's lock.
pub(super) fn locked(
    paths: &Paths,
    topology: &Topology,
    interrupt: &Interrupt,
    report: &mut dyn FnMut(&Outcome),
) -> Result<Vec<Outcome>> {
    let limits = crate::ops::limits(paths)?;
    let identity = pki::admin_identity(paths)?;
    let admin = api::client(topology.api_port, &identity, limits.request())?;
    admin
        .text("/readyz")
        .context("the API server is not ready")
        .hint("run `hardway up`")?;
    let bench = Bench {
        paths,
        topology,
        plan: &plan::plan(topology),
        admin,
        limits,
        interrupt,
        kubectl: tools::find("kubectl", "verify runs commands in Pods with it")?,
    };
    let mut run = Run {
        interrupt,
        report,
        outcomes: Vec::new(),
    };
    let checked = all(&bench, &mut run);
    // The namespace goes whatever happened, also after Ctrl-C.
    let cleaned = run.check("nothing is left behind", || workload::remove(&bench));
    checked.and(cleaned)?;
    Ok(run.outcomes)
}

fn all(bench: &Bench<'_>, run: &mut Run<'_>) -> Result<()> {
    let mut others = None;
    run.check("every unit is active", || {
        machines::units(bench, &mut others)
    })?;
    run.check("no other unit has failed", || {
        Ok(machines::others(others.as_deref()))
    })?;
    run.check("every node is Ready at its address", || {
        machines::nodes(bench)
    })?;
    run.check("anonymous requests are refused", || {
        identity::anonymous(bench)
    })?;
    run.check("a kubelet's power ends at its node", || {
        identity::kubelet(bench)
    })?;
    let mut running: Vec<Pod> = Vec::new();
    run.check("a Deployment runs on every worker", || {
        workload::remove(bench)?;
        running = workload::deploy(bench)?;
        seen(workload::placement(&running))
    })?;
    run.check("a Secret is ciphertext in etcd", || etcd::secret(bench))?;
    let checks: [(&'static str, PodCheck); 6] = [
        ("logs come through the kubelets", pods::logs),
        ("exec goes through the kubelets", pods::exec),
        ("Pods reach Pods on other nodes", pods::pod_to_pod),
        ("a Service's address answers", pods::service),
        ("Pods resolve names", dns::names),
        ("Pods do not reach the host's loopback", loopback::closed),
    ];
    for (name, check) in checks {
        run.check(name, || {
            if running.is_empty() {
                bail!("not tried: the Deployment's Pods do not run");
            }
            check(bench, &running)
        })?;
    }
    Ok(())
}

type PodCheck = fn(&Bench<'_>, &[Pod]) -> Result<Found>;

/// The checks done so far.
struct Run<'a> {
    interrupt: &'a Interrupt,
    report: &'a mut dyn FnMut(&Outcome),
    outcomes: Vec<Outcome>,
}

impl Run<'_> {
    /// A check's own failure is an outcome; only Ctrl-C ends the run.
    fn check(&mut self, check: &'static str, body: impl FnOnce() -> Result<Found>) -> Result<()> {
        let start = Instant::now();
        let result = body();
        let (verdict, detail) = match result {
            Ok(Found::Seen(detail)) => (Verdict::Passed, detail),
            Ok(Found::Warning(what)) => (Verdict::Warning, what),
            Ok(Found::Skip(reason)) => (Verdict::Skipped, reason),
            Err(error) => (Verdict::Failed, render(&error).trim_end().to_owned()),
        };
        self.interrupt.check()?;
        let outcome = Outcome {
            check,
            verdict,
            seconds: (start.elapsed().as_secs_f64() * 1000.0).round() / 1000.0,
            detail,
        };
        (self.report)(&outcome);
        self.outcomes.push(outcome);
        Ok(())
    }
}

impl Bench<'_> {
    /// The topology's node of a plan's.
    fn node(&self, name: &NodeName) -> Result<&Node> {
        self.topology
            .node(name.as_str())
            .with_context(|| format!("cluster.json has no node {name}"))
    }

    /// kubectl as the administrator: its stdout; an error with its stderr when it fails.
    fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        let command = duct::cmd(&self.kubectl, arguments)
            .env("KUBECONFIG", self.paths.kubeconfig())
            .stdin_null()
            .stdout_capture()
            .stderr_capture();
        let what = format!("kubectl {}", arguments.join(" "));
        let output = child::run(&command, &what, self.limits.command(), self.interrupt)?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let words = String::from_utf8_lossy(&output.stderr);
        Err(anyhow!("{}", words.trim()).context(format!("{what} failed ({})", output.status)))
    }

    /// A shell command in a Pod.
    fn in_pod(&self, pod: &Pod, script: &str) -> Result<String> {
        let namespace = workload::NAMESPACE;
        self.kubectl(&["exec", "-n", namespace, &pod.name, "--", "sh", "-c", script])
    }

    fn wait<'w>(&'w self, what: &'w str, limit: Duration) -> Wait<'w> {
        Wait {
            what,
            limit,
            pause: self.limits.pause(),
            interrupt: self.interrupt,
            logs: Vec::new(),
            hint: None,
        }
    }
}
