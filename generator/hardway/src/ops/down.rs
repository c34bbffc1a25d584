//! `hardway down`: every machine shut down cleanly, all at once, or by force after a limit.

use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;

use super::at_once::at_once;
use super::interrupt::Interrupt;
use super::progress::{Progress, Task, seconds};
use super::wait::words;
use super::would::Would;
use super::{lock, machines};
use common::state::Paths;
use model::topology::NodeName;
use qemu::process::{Asked, Running};

/// How a machine ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stopped {
    pub node: NodeName,
    /// It did not shut down by itself, and was ended as by a power cut.
    pub forced: bool,
    /// How it was asked to shut down.
    pub asked: Asked,
    /// Why its guest agent did not shut it down, where it did not.
    pub reason: Option<String>,
    /// How long it had.
    #[serde(skip)]
    limit: Duration,
}

impl Stopped {
    /// A line for people.
    pub fn text(&self) -> String {
        let (node, limit) = (&self.node, seconds(self.limit));
        let reason = self.reason.as_deref().unwrap_or("no reason given");
        match (self.asked, self.forced) {
            (Asked::GuestAgent, false) => format!("{node} is down"),
            (Asked::PowerButton, false) => format!("{node} is down, by its power button: {reason}"),
            // It was about to end.
            (Asked::Not, false) => format!("{node} is down"),
            (Asked::GuestAgent, true) => {
                format!("{node} did not shut down within {limit} and was stopped by force")
            }
            (Asked::PowerButton, true) => format!(
                "{node} did not shut down within {limit} of its power button and was stopped \
                 by force: {reason}"
            ),
            (Asked::Not, true) => {
                format!("{node} could not be asked to shut down and was stopped by force: {reason}")
            }
        }
    }
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
    lock::hold_despite_undo(paths, "down", || {
        let limit = machines::limits(paths)?.shutdown();
        let running = machines::running(paths)?;
        let progress = Progress::new(running.iter().map(|(node, _)| node.as_str()));
        let results = at_once(&running, |(node, machine)| {
            let task = progress.task(node.as_str());
            stop(node, machine, limit, task, &Interrupt::none())
        });
        results.into_iter().collect()
    })
}

/// Shuts a machine down, by force where it does not go by itself. Once interrupted it fails,
/// and leaves the machine to shut down.
pub(super) fn stop(
    node: &NodeName,
    machine: &Running,
    limit: Duration,
    task: Task<'_>,
    interrupt: &Interrupt,
) -> Result<Stopped> {
    task.stage("shut down");
    let shutdown = machine.stop_unless(limit, &|| interrupt.requested());
    if !shutdown.ended {
        interrupt.check()?;
        machine
            .kill()
            .with_context(|| format!("cannot end {node}'s machine"))?;
    }
    task.done();
    Ok(Stopped {
        node: node.clone(),
        forced: !shutdown.ended,
        asked: shutdown.asked,
        reason: shutdown.reason.as_ref().map(words),
        limit,
    })
}

/// Shuts down machines that can't be asked anything, and says so: with a new start they get
/// new sockets.
pub(super) fn unreachable(
    paths: &Paths,
    progress: &Progress,
    machines: &[(&NodeName, Running)],
    interrupt: &Interrupt,
) -> Result<()> {
    let limit = machines::limits(paths)?.shutdown();
    for (node, running) in machines {
        if let Some(lost) = running.lost_sockets() {
            progress.say(&format!(
                "{node} can't be asked anything: {lost}; it is shut down and started again"
            ));
        }
    }
    let stopped = at_once(machines, |(node, running)| {
        let task = progress.task(node.as_str());
        stop(node, running, limit, task, interrupt)
    });
    for one in stopped {
        progress.say(&one?.text());
    }
    Ok(())
}
