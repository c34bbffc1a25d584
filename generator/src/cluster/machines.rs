//! The machines as the cluster sees them: which there are, which run, and a command in one.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use serde_json::json;

use super::limits::Limits;
use crate::machine::agent::{Agent, Output};
use crate::machine::argv::Sockets;
use crate::machine::process::{self, Running};
use crate::machine::{Accelerator, Host, guest};
use crate::plan::NodePlan;
use crate::report::WithHint;
use crate::state::Paths;
use crate::topology::{Node, NodeName, Topology};

/// A guest's clock that is further behind the host's than this is set right.
pub(super) const BEHIND: Duration = Duration::from_secs(5);

/// How long a killed QEMU with a large memory may take to go.
const DYING: Duration = Duration::from_secs(5);

/// How far a node's machine is.
#[derive(Debug)]
pub(super) enum State {
    /// No whole installation: there may be remains of one.
    NotInstalled,
    Stopped,
    Running,
    /// It runs, and its sockets are gone, so that it can't be asked anything.
    Unreachable(Running),
}

pub(super) fn state(paths: &Paths, node: &Node) -> Result<State> {
    let installed = paths.node(&node.name).installed().is_file();
    Ok(match process::find(paths, &node.name) {
        Some(running) if installed && dying(&running) => State::Stopped,
        Some(running) if installed && running.lost_sockets().is_some() => {
            State::Unreachable(running)
        }
        Some(running) if installed => {
            go_on(&running).with_context(|| format!("cannot let {} go on", node.name))?;
            State::Running
        }
        Some(orphan) => {
            // The installer of a run that was killed: nothing of it can be used.
            orphan.kill().with_context(|| {
                format!("cannot end the unfinished installation of {}", node.name)
            })?;
            State::NotInstalled
        }
        None if installed => State::Stopped,
        None => State::NotInstalled,
    })
}

/// A snapshot whose run was killed leaves guests paused.
pub(super) fn go_on(running: &Running) -> Result<()> {
    let Ok(mut qmp) = running.qmp() else {
        return Ok(());
    };
    let status = qmp.execute("query-status", &json!({}))?;
    if status["status"] == "paused" {
        qmp.execute("cont", &json!({}))?;
    }
    Ok(())
}

/// Whether a machine is on its way out: a killed QEMU gives its memory back for a
/// while before its process is gone, and no longer answers.
fn dying(running: &Running) -> bool {
    if running.qmp().is_ok() {
        return false;
    }
    let end = Instant::now() + DYING;
    while running.alive() {
        if Instant::now() >= end {
            return false;
        }
        thread::sleep(Duration::from_millis(50));
    }
    true
}

/// The node of that name.
pub(super) fn named<'a>(topology: &'a Topology, name: &str) -> Result<&'a Node> {
    let known = topology.nodes.iter().map(|node| node.name.as_str());
    topology
        .node(name)
        .ok_or_else(|| anyhow!("cluster.json has no node {name:?}"))
        .hint(format!(
            "its nodes are {}",
            known.collect::<Vec<_>>().join(", ")
        ))
}

/// The node's installed machine, which must run; else the error says what to type.
pub(super) fn needed(paths: &Paths, node: &Node) -> Result<Running> {
    guest(node)?;
    let files = paths.node(&node.name);
    match (
        process::find(paths, &node.name),
        files.installed().is_file(),
    ) {
        (Some(running), true) => Ok(running),
        (Some(_), false) => Err(anyhow!("{} is being installed", node.name)).hint(format!(
            "follow it with: tail -f {}",
            files.install_log().display()
        )),
        (None, true) => {
            Err(anyhow!("{}'s machine does not run", node.name)).hint("start it: hardway up")
        }
        (None, false) => {
            Err(anyhow!("{} is not installed", node.name)).hint("install and start it: hardway up")
        }
    }
}

/// Every node that has a machine's folder, also one that cluster.json no longer names.
pub(super) fn known(paths: &Paths) -> Result<Vec<NodeName>> {
    let folder = paths.state().join("nodes");
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            return Err(error).with_context(|| format!("cannot read {}", folder.display()));
        }
    };
    let mut names: Vec<NodeName> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| NodeName::parse(entry.file_name().to_str()?).ok())
        .collect();
    names.sort();
    Ok(names)
}

/// Every machine that runs, installers included.
pub(super) fn running(paths: &Paths) -> Result<Vec<(NodeName, Running)>> {
    let names = known(paths)?.into_iter();
    Ok(names
        .filter_map(|name| process::find(paths, &name).map(|running| (name, running)))
        .collect())
}

/// The limits that fit the cluster's pinned accelerator; the slowest one's before any is pinned.
pub(crate) fn limits(paths: &Paths) -> Result<Limits> {
    let host = Host::pinned(paths)?;
    Ok(Limits::new(host.map_or_else(
        || Accelerator::Tcg.patience(),
        |host| host.patience(),
    )))
}

/// Runs a program in a guest through its agent, whatever its exit code.
pub(super) fn in_guest(
    paths: &Paths,
    node: &Node,
    command: &[&str],
    limit: Duration,
) -> Result<Output> {
    Agent::connect(&Sockets::of(paths, node).agent)
        .and_then(|mut agent| agent.exec(command, limit))
        .with_context(|| format!("cannot run `{}` on {}", command.join(" "), node.name))
        .hint(format!(
            "`hardway status` tells whether {} runs; its console's log is {}",
            node.name,
            paths.node(&node.name).serial_log().display()
        ))
}

/// The units of a node's components, and the one that guards its keys.
pub(super) fn units(node: &NodePlan) -> Vec<String> {
    let mut units = vec!["hardway-pki.service".to_owned()];
    units.extend(node.components.keys().map(|name| format!("{name}.service")));
    units
}

/// What `systemctl is-active UNIT…` said of each: it prints a state a unit, in the order
/// of its arguments. (Its exit code is 0 as soon as one of them is active.)
pub(super) fn states<'a>(
    units: &'a [String],
    stdout: &'a str,
) -> impl Iterator<Item = (&'a str, &'a str)> {
    let states = stdout
        .lines()
        .map(str::trim)
        .chain(std::iter::repeat("unknown"));
    units.iter().map(String::as_str).zip(states)
}
