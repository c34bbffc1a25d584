//! The machines as the cluster sees them: which there are, which run, and a command in one.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use serde_json::json;

use super::limits::Limits;
use super::snapshot;
use super::wait::printable;
use crate::runtime::guest;
use common::report::WithHint;
use common::state::Paths;
use model::plan::NodePlan;
use model::topology::{Node, NodeName, Topology};
use qemu::agent::{Agent, Output};
use qemu::argv::Sockets;
use qemu::process::{self, Running};
use qemu::{Accelerator, Host};

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
        Some(running)
            if installed && running.lost_sockets().is_some_and(|lost| !lost.elsewhere) =>
        {
            State::Unreachable(running)
        }
        Some(_) if installed => {
            go_on(paths, &node.name, &reachable(paths, node)?)
                .with_context(|| format!("cannot let {} go on", node.name))?;
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

/// A snapshot whose run was killed leaves guests paused. Fails where the guest must not go
/// on, since it has still to go back to what it was before a restore.
pub(super) fn go_on(paths: &Paths, node: &NodeName, running: &Running) -> Result<()> {
    let Ok(mut qmp) = running.qmp() else {
        return Ok(());
    };
    let status = qmp.execute("query-status", &json!({}))?;
    if status["status"] == "paused" {
        snapshot::may_go_on(paths, node)?;
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

/// As [`needed`], where it can also be asked something.
pub(super) fn reachable(paths: &Paths, node: &Node) -> Result<Running> {
    let running = needed(paths, node)?;
    match running.lost_sockets() {
        None => Ok(running),
        Some(lost) => Err(anyhow!("{lost}").context(format!("{} can't be asked", node.name)))
            .hint(lost.remedy()),
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
    Agent::connect(&Sockets::of(paths, &node.name).agent)
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

/// Lists what runs or has failed in a guest: one question for all units, since an emulated
/// processor takes a tenth of a second to start a program.
pub(super) const LIST_UNITS: [&str; 4] = ["systemctl", "list-units", "--plain", "--no-legend"];

/// The current generation of a guest's system: `system-<number>-link`.
pub(super) const PROFILE: &str = "/nix/var/nix/profiles/system";

/// Asks a guest which configuration it runs, and which one it boots next.
pub(super) const SYSTEMS: [&str; 4] = ["readlink", "-e", "/run/current-system", PROFILE];

/// Whether a guest boots next into another configuration than the one that it runs, by what
/// [`SYSTEMS`] printed. False where it lacks one of the two links.
pub(super) fn boot_pending(output: &Output) -> bool {
    match output.stdout.lines().collect::<Vec<_>>()[..] {
        [runs, boots] => runs != boots,
        _ => false,
    }
}

/// What systemd says of a guest's units.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Listed {
    /// The state of each unit that was asked about, in that order.
    pub states: Vec<(String, String)>,
    /// The other units that have failed.
    pub failed: Vec<String>,
}

impl Listed {
    /// Reads what [`LIST_UNITS`] printed, a unit a line: UNIT LOAD ACTIVE SUB DESCRIPTION. A
    /// unit that is inactive has no line. An error where nothing was listed.
    pub(super) fn read(units: &[String], output: &Output) -> Result<Self> {
        let mut known: BTreeMap<&str, &str> = BTreeMap::new();
        for line in output.stdout.lines() {
            // Some versions put a mark before a unit that has failed.
            let line = line.trim_start_matches(|c: char| !c.is_ascii_graphic() || c == '*');
            let mut words = line.split_whitespace();
            if let (Some(unit), Some(_), Some(active)) = (words.next(), words.next(), words.next())
            {
                known.insert(unit, active);
            }
        }
        if output.code != 0 || known.is_empty() {
            bail!(
                "systemctl listed no units: {}",
                printable(output.stderr.trim())
            );
        }
        let state = |unit: &String| known.get(unit.as_str()).copied().unwrap_or("inactive");
        let others = known
            .iter()
            .filter(|(unit, active)| **active == "failed" && !units.iter().any(|own| own == *unit));
        Ok(Self {
            states: units
                .iter()
                .map(|unit| (unit.clone(), state(unit).to_owned()))
                .collect(),
            failed: others.map(|(unit, _)| printable(unit)).collect(),
        })
    }

    /// Those that are not active, each with its state.
    pub(super) fn inactive(&self) -> Vec<String> {
        self.states
            .iter()
            .filter(|(_, state)| state != "active")
            .map(|(unit, state)| format!("{unit} is {state}"))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_that_lacks_a_link_waits_for_no_boot() {
        let pending = |stdout: &str| {
            boot_pending(&Output {
                code: 0,
                stdout: stdout.to_owned(),
                stderr: String::new(),
            })
        };
        assert!(pending("/nix/store/a-system\n/nix/store/b-system\n"));
        assert!(!pending("/nix/store/a-system\n/nix/store/a-system\n"));
        assert!(!pending("/nix/store/b-system\n"));
    }

    #[test]
    fn own_units_and_others_that_failed_are_told_apart() {
        let units = ["etcd.service", "kubelet.service", "containerd.service"].map(str::to_owned);
        let listed = |code, stdout: &str| {
            let (stdout, stderr) = (stdout.to_owned(), "no bus\n".to_owned());
            Listed::read(
                &units,
                &Output {
                    code,
                    stdout,
                    stderr,
                },
            )
        };
        let found = listed(
            0,
            "dbus.service    loaded active running D-Bus\n\
             etcd.service    loaded active running etcd\n\
             ● foo.service   loaded failed failed  Foo\n\
             kubelet.service loaded failed failed  kubelet\n",
        )
        .unwrap();
        assert_eq!(
            found.inactive(),
            [
                "kubelet.service is failed",
                "containerd.service is inactive"
            ]
        );
        assert_eq!(found.failed, ["foo.service"]);
        assert_eq!(
            listed(1, "").unwrap_err().to_string(),
            "systemctl listed no units: no bus"
        );
    }
}
