//! `hardway down`: every machine shut down cleanly, all at once, or by force after a limit.

use anyhow::{Context, Result};
use serde::Serialize;

use super::at_once::at_once;
use super::progress::{Progress, seconds};
use super::would::Would;
use super::{lock, machines};
use crate::state::Paths;
use crate::topology::NodeName;

/// How a machine ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stopped {
    pub node: NodeName,
    /// It did not shut down within the limit.
    pub forced: bool,
}

/// What [`down`] would do; nothing where no machine runs.
pub fn look(paths: &Paths) -> Result<Would> {
    let mut would = Would::default();
    if paths.state().is_dir() {
        lock::check(paths)?;
        let limit = seconds(machines::limits(paths)?.shutdown());
        for (node, machine) in machines::running(paths)? {
            would.step(format!(
                "shut {node} down (process {}), by force where that takes more than {limit}",
                machine.pid()
            ));
        }
    }
    Ok(would)
}

/// Stops every machine that runs, also of nodes that cluster.json no longer names.
pub fn down(paths: &Paths) -> Result<Vec<Stopped>> {
    if !paths.state().is_dir() {
        return Ok(Vec::new());
    }
    lock::hold(paths, "down", || {
        let limit = machines::limits(paths)?.shutdown();
        let running = machines::running(paths)?;
        let progress = Progress::new(running.iter().map(|(node, _)| node.as_str()));
        let results = at_once(&running, |(node, machine)| {
            let task = progress.task(node.as_str());
            task.stage("shut down");
            let clean = machine
                .stop(limit)
                .with_context(|| format!("cannot shut {node} down"))?;
            if !clean {
                machine
                    .kill()
                    .with_context(|| format!("cannot end {node}'s machine"))?;
            }
            task.done();
            Ok(Stopped {
                node: node.clone(),
                forced: !clean,
            })
        });
        results.into_iter().collect()
    })
}
