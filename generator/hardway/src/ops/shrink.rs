//! A worker that cluster.json no longer has: emptied, shut down, deleted, forgotten.
//!
//! Its machine's folder goes last: after a kill at any moment the next `up` finds it, and
//! goes on with what is left of it.

use std::fs;
use std::io::ErrorKind;

use anyhow::{Context, Result, anyhow};

use super::install::Site;
use super::limits::Limits;
use super::members::listed;
use super::snapshot::Record;
use super::wait::Wait;
use super::{drain, follow, machines, nodes};
use crate::runtime;
use kube::Client;
use qemu::process;

use common::report::WithHint;
use common::state::Paths;
use model::topology::NodeName;

/// What goes for good when these nodes leave, in words.
pub fn targets(paths: &Paths, leaving: &[NodeName]) -> Result<Vec<String>> {
    let mut targets = Vec::new();
    for node in leaving {
        targets.push(format!("the Node {node}, with its Pods"));
        targets.push(format!("the machine {node} and its disk"));
        targets.push(format!("{node}'s keys and certificates"));
    }
    targets.extend(part_of_snapshots(paths, leaving)?);
    Ok(targets)
}

/// What is lost of snapshots where these nodes' disks go, in words.
pub(super) fn part_of_snapshots(paths: &Paths, nodes: &[NodeName]) -> Result<Option<String>> {
    let mut snapshots = Vec::new();
    for record in Record::all(paths)? {
        let saved = &record.cluster.generation;
        if nodes.iter().any(|node| saved.contains_key(node)) {
            snapshots.push(record.name.to_string());
        }
    }
    Ok((!snapshots.is_empty()).then(|| {
        format!(
            "{}'s part of these snapshots, which can't be restored without it: {}",
            listed(nodes),
            snapshots.join(", ")
        )
    }))
}

/// Removes these nodes; those that stay no longer know them afterwards.
pub(super) fn shrink(
    site: &Site<'_>,
    admin: &Client,
    limits: Limits,
    leaving: &[NodeName],
) -> Result<()> {
    if leaving.is_empty() {
        return Ok(());
    }
    for name in leaving {
        leave(site, admin, limits, name).with_context(|| format!("cannot remove {name}"))?;
    }
    follow::follow(site, limits, Some(leaving))?;
    leaving.iter().try_for_each(|name| {
        pki::forget(site.paths, name)
            .and_then(|()| remove_files(site.paths, name))
            .with_context(|| format!("cannot remove what {name} leaves behind"))
    })
}

fn leave(site: &Site<'_>, admin: &Client, limits: Limits, name: &NodeName) -> Result<()> {
    let task = site.progress.task(name.as_str());
    let running = process::find(site.paths, name);
    let registered = nodes::list(admin)?;
    let node = registered.iter().find(|one| one.name == name.as_str());
    if let Some(node) = node {
        task.stage("Pods leave");
        drain::cordon(admin, name)?;
        if node.ready && running.is_some() {
            empty(site, admin, limits, name)?;
        } else {
            site.progress.say(&format!(
                "{name} is not Ready: its Pods end with it, and nobody waits for them"
            ));
        }
    }
    if let Some(running) = running {
        task.stage("shut down");
        let installed = site.paths.node(name).installed().is_file();
        let ended = installed && {
            machines::go_on(site.paths, name, &running)?;
            running.stop(limits.shutdown()).ended
        };
        if !ended {
            running.kill()?;
        }
    }
    // Only now: a kubelet that starts again registers its Node again.
    task.stage("delete");
    nodes::delete(admin, name)?;
    runtime::leave_segment(site.paths, site.topology, name)?;
    task.done();
    Ok(())
}

fn empty(site: &Site<'_>, admin: &Client, limits: Limits, name: &NodeName) -> Result<()> {
    for pod in drain::orphans(admin, name)? {
        site.progress.say(&format!(
            "warning: no controller starts the Pod {pod} elsewhere: it is gone with {name}"
        ));
    }
    let wait = Wait {
        what: &format!("{name}'s Pods to leave"),
        limit: limits.drain(),
        pause: limits.pause(),
        interrupt: site.interrupt,
        logs: Vec::new(),
        hint: Some(format!(
            "`hardway kubectl get pods -A -o wide --field-selector spec.nodeName={name}` shows \
             them, and `hardway up` goes on; or put {name} into cluster.json again and \
             `hardway kubectl uncordon {name}`"
        )),
    };
    wait.until(|| Ok(drain::look(admin, name)))
}

fn remove_files(paths: &Paths, name: &NodeName) -> Result<()> {
    let end = format!("{name}.");
    let sockets = fs::read_dir(paths.runtime()).into_iter().flatten();
    for socket in sockets.filter_map(Result::ok) {
        let file = socket.file_name();
        let kind = file.to_str().and_then(|file| file.strip_prefix(&end));
        if kind.is_some_and(|kind| !kind.contains('.')) {
            let _ = fs::remove_file(socket.path());
        }
    }
    let folder = paths.node(name).dir;
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(anyhow!(error))
            .with_context(|| format!("cannot remove {}", folder.display()))
            .hint("remove it by hand; `hardway up` goes on"),
        _ => Ok(()),
    }
}
