//! What is wrong, in words, and the command to type about it: the first cause before
//! what follows from it.

use serde::Serialize;

use super::{Machine, NodeStatus, Status, expected};
use crate::ops::lock;
use crate::ops::members::{self, Leftover};
use crate::ops::snapshot;
use common::state::Paths;
use model::topology::{Role, Topology};

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    pub what: String,
    /// The command to type.
    pub remedy: String,
}

fn problem(what: String, remedy: impl Into<String>) -> Problem {
    Problem {
        what,
        remedy: remedy.into(),
    }
}

pub(super) fn problems(status: &Status, paths: &Paths, topology: &Topology) -> Vec<Problem> {
    // First: until then nothing else helps, and `up` refuses. A run under way has notes too.
    let mut found = Vec::new();
    if lock::check(paths).is_ok() {
        let pending = snapshot::pending(paths).into_iter();
        found.extend(pending.map(|what| problem(what, "hardway snapshot list")));
    }
    for (machine, is) in [
        (Machine::NotInstalled, "not installed"),
        (Machine::Stopped, "stopped"),
    ] {
        let names: Vec<&str> = status
            .nodes
            .iter()
            .filter(|node| node.machine == machine)
            .map(|node| node.name.as_str())
            .collect();
        if let [name] = names.as_slice() {
            found.push(problem(format!("{name} is {is}"), "hardway up"));
        } else if !names.is_empty() {
            let what = format!("{} are {is}", names.join(", "));
            found.push(problem(what, "hardway up"));
        }
    }
    found.extend(status.leftovers.iter().map(leftover));
    for node in &status.nodes {
        machine(node, paths, topology, &mut found);
    }
    api(status, topology, &mut found);
    if status.api.ready {
        for node in &status.nodes {
            registered(node, topology, &mut found);
        }
    }
    addons(status, topology, &mut found);
    found
}

fn leftover(one: &Leftover) -> Problem {
    let name = &one.name;
    if one.control_plane {
        return problem(
            format!(
                "cluster.json no longer has {name}, a control plane: etcd's data is on its disk"
            ),
            members::give_back(name),
        );
    }
    let is = if one.running {
        "runs"
    } else {
        "is on this host's disk"
    };
    problem(
        format!("cluster.json no longer has {name}, whose machine {is}; `up` asks, and removes it"),
        "hardway up",
    )
}

fn machine(node: &NodeStatus, paths: &Paths, topology: &Topology, found: &mut Vec<Problem>) {
    let name = &node.name;
    let log = topology
        .node(name)
        .map(|node| paths.node(&node.name).qemu_log().display().to_string())
        .unwrap_or_default();
    match (node.machine, &node.silent) {
        (Machine::Died, _) => found.push(problem(
            format!("{name}'s machine died; what QEMU said is in {log}"),
            "hardway up",
        )),
        (Machine::Paused, Some(why)) if why.ends_with("(paused)") => {
            let what = format!("{name} is paused, as by a snapshot that was broken off");
            found.push(problem(what, "hardway up"));
        }
        (Machine::Paused, why) => {
            let why = why.as_deref().unwrap_or_default();
            let what = format!("{name}: {why}; what QEMU said is in {log}");
            found.push(problem(what, "hardway down && hardway up"));
        }
        (Machine::Running, Some(lost)) if node.unreachable => found.push(problem(
            format!(
                "{name} can't be asked anything: {lost}; it is shut down and started again with"
            ),
            node.remedy.unwrap_or("hardway up"),
        )),
        (Machine::Running, Some(_)) => found.push(problem(
            format!("{name} runs, and its guest agent does not answer: it starts, or hangs"),
            format!("hardway console {name}"),
        )),
        (Machine::Running, None) if node.busy => found.push(problem(
            format!("{name} is too busy to tell its units in time"),
            "hardway top",
        )),
        _ => {}
    }
    for (unit, state) in node.units.iter().flatten() {
        if state != "active" {
            found.push(problem(
                format!("{unit} on {name} is {state}"),
                format!("hardway logs {name} {}", unit.trim_end_matches(".service")),
            ));
        }
    }
    if node.boot_pending {
        found.push(problem(
            format!("a configuration of {name} waits for its next boot"),
            "hardway down && hardway up",
        ));
    }
    for unit in &node.failed {
        found.push(problem(
            format!("warning: {unit} on {name} has failed; it is not part of the cluster"),
            format!("hardway ssh {name} systemctl status {unit}"),
        ));
    }
    if let Some(clock) = node.clock.as_ref().filter(|clock| !clock.set) {
        found.push(problem(
            format!(
                "{name}'s clock is {} s behind, and could not be set",
                clock.behind_seconds
            ),
            format!("hardway console {name}"),
        ));
    }
}

fn api(status: &Status, topology: &Topology, found: &mut Vec<Problem>) {
    let Some(reason) = status.api.reason.as_deref() else {
        return;
    };
    let control = Role::ControlPlane.to_string();
    let mut planes = status.nodes.iter().filter(|node| node.role == control);
    let what = format!("the API server is not ready: {reason}");
    if let Some(ssh) = topology.remote().and_then(|node| node.remote()) {
        found.push(problem(what, format!("ssh {} systemctl --failed", ssh.ssh)));
    } else if let Some(plane) = planes.find(|node| {
        // What is said of its units, or of its silence, is nearer to the cause.
        let told = |units: &std::collections::BTreeMap<String, String>| {
            units.values().any(|state| state != "active")
        };
        node.machine == Machine::Running
            && node.silent.is_none()
            && !node.units.as_ref().is_some_and(told)
    }) {
        found.push(problem(
            what,
            format!("hardway logs {} kube-apiserver", plane.name),
        ));
    }
}

fn registered(node: &NodeStatus, topology: &Topology, found: &mut Vec<Problem>) {
    let name = &node.name;
    let looked_into = matches!(node.machine, Machine::Running | Machine::Own);
    if node.role != Role::Worker.to_string() || !looked_into || node.silent.is_some() {
        return;
    }
    let what = match &node.node {
        None => format!("{name} has not registered"),
        Some(registered) if !registered.ready => format!(
            "{name} is not Ready: {}",
            registered.reason.as_deref().unwrap_or("no reason given")
        ),
        Some(_) => return,
    };
    let remote = topology.node(name).and_then(|node| node.remote());
    found.push(problem(
        what,
        match remote {
            Some(remote) => format!("ssh {} journalctl -u kubelet", remote.ssh),
            None => format!("hardway logs {name} kubelet"),
        },
    ));
}

fn addons(status: &Status, topology: &Topology, found: &mut Vec<Problem>) {
    for addon in status.addons.iter().filter(|addon| !addon.ready) {
        let reason = addon.reason.as_deref().unwrap_or("no reason given");
        let label = match expected(topology)
            .iter()
            .find(|kind| kind.name() == addon.name)
        {
            Some(super::addons::Kind::Cilium) => "cilium",
            _ => "kube-dns",
        };
        let up = match topology.remote() {
            Some(_) => "hardway bootstrap",
            None => "hardway up",
        };
        found.push(if addon.installed {
            problem(
                format!("{} is not ready: {reason}", addon.name),
                format!("hardway kubectl -n kube-system describe pods -l k8s-app={label}"),
            )
        } else {
            problem(format!("{} is not installed", addon.name), up)
        });
    }
}
