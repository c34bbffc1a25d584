//! After a restore the guests believe that it is still then: their clocks are set, and
//! the cluster counts as back once it has spoken since.

use std::time::Duration;

use anyhow::{Result, anyhow};

use super::Ground;
use crate::ops::api;
use crate::ops::at_once::at_once;
use crate::ops::progress::Progress;
use crate::ops::wait::{Look, Wait, words};
use crate::ops::{fresh, machines, nodes};
use qemu::process;

use common::state::Paths;
use model::topology::{Node, NodeName};

/// How long one look at `/readyz` may take.
const LOOK: Duration = Duration::from_secs(10);

/// Waits until every node is Ready.
pub(super) fn settle(ground: &Ground<'_>) -> Result<()> {
    let limits = machines::limits(ground.paths)?;
    let identity = pki::admin_identity(ground.paths)?;
    let wait = |what: &'static str, limit: Duration| Wait {
        what,
        limit,
        pause: limits.pause(),
        interrupt: ground.interrupt,
        logs: Vec::new(),
        hint: Some("the machines run; `hardway up` waits on".to_owned()),
    };
    let task = ground.progress.task("cluster");
    task.stage("API ready");
    let client = api::client(ground.topology.api_port, &identity, LOOK)?;
    wait("the API server to be ready", limits.ready_api()).until(|| {
        Ok(match client.text("/readyz") {
            Ok(_) => Look::Done(()),
            Err(error) => Look::Missing(words(&error)),
        })
    })?;
    task.stage("nodes Ready");
    let admin = api::client(ground.topology.api_port, &identity, limits.request())?;
    let workers: Vec<&Node> = ground.topology.workers().collect();
    let before = fresh::leases(&admin)?;
    wait("every node to be Ready", limits.ready_nodes()).until(|| {
        let look = || -> Result<Vec<String>> {
            let registered = nodes::list(&admin)?;
            let missing = nodes::missing(&workers, &registered);
            if !missing.is_empty() {
                return Ok(missing);
            }
            let (paths, before) = (ground.paths, Some(&before));
            fresh::stale(paths, &admin, limits, &workers, &registered, before)
        };
        Ok(Look::of(look()))
    })?;
    task.done();
    Ok(())
}

/// All at once. A guest whose clock can't be set is told, and may catch up by itself.
pub(super) fn set_clocks(ground: &Ground<'_>) {
    let task = ground.progress.task("cluster");
    task.stage("clocks");
    at_once(&ground.topology.nodes, |node| {
        set_clock(ground.paths, ground.progress, &node.name);
    });
    task.done();
}

/// The same for one guest.
pub(super) fn set_clock(paths: &Paths, progress: &Progress, node: &NodeName) {
    let set = process::find(paths, node)
        .ok_or_else(|| anyhow!("its machine has ended"))
        .and_then(|running| running.agent()?.set_clock());
    if let Err(error) = set {
        progress.say(&format!(
            "warning: cannot set {node}'s clock: {}",
            words(&error)
        ));
    }
}
