//! All machines at once: paused before the first is touched, going on after the last,
//! whatever happens in between. Running ones and such that are off are worked on alike.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};

use super::Ground;
use crate::ops::at_once::at_once;
use common::report::render;
use model::topology::NodeName;
use qemu::images::{Found, Images, Tell, stalled};
use qemu::movement::Amount;

/// The machines; those that have been paused go on when this value is dropped.
pub(super) struct Guests<'a> {
    ground: Ground<'a>,
    paused: bool,
    pub(super) machines: Vec<Guest>,
}

pub(super) struct Guest {
    pub(super) node: NodeName,
    pub(super) images: Images,
}

impl<'a> Guests<'a> {
    /// Nothing is paused yet. `qemu`: whose qemu-img works on what is off.
    pub(super) fn open(
        ground: &Ground<'a>,
        qemu: &Path,
        nodes: impl IntoIterator<Item = NodeName>,
    ) -> Result<Self> {
        let machines = at_once(nodes, |node| {
            let interrupt = ground.interrupt.shared();
            let images = Images::of(qemu, ground.paths, &node, ground.stall, false, interrupt)
                .with_context(|| format!("cannot reach {node}'s images"))?;
            Ok(Guest { node, images })
        });
        Ok(Self {
            ground: *ground,
            paused: false,
            machines: machines.into_iter().collect::<Result<_>>()?,
        })
    }

    pub(super) fn pause(&mut self) -> Result<()> {
        self.paused = true;
        let paused = at_once(&mut self.machines, |Guest { node, images }| {
            images
                .pause()
                .with_context(|| format!("cannot pause {node}"))
        });
        paused.into_iter().collect()
    }

    /// Lets every guest go on.
    pub(super) fn resume(&mut self) -> Result<()> {
        let resumed = at_once(&mut self.machines, |Guest { node, images }| {
            images
                .resume()
                .with_context(|| format!("cannot let {node} go on"))
        });
        resumed.into_iter().collect()
    }

    /// Does the same on every machine at once. Each is brought to its end, also after
    /// Ctrl-C; of several failures the last is the error, and the others are told.
    pub(super) fn each(
        &mut self,
        stage: &str,
        work: impl Fn(&mut Guest, &Tell<'_>) -> Result<()> + Sync,
    ) -> Result<()> {
        let Ground {
            progress,
            interrupt,
            ..
        } = self.ground;
        let told = AtomicBool::new(false);
        let results = at_once(&mut self.machines, |guest| {
            let task = progress.task(guest.node.as_str());
            task.stage(stage);
            let tell: &Tell<'_> = &|amount: Amount| {
                // Nothing, also where the system does not count it.
                if amount.done >= 1 << 20 {
                    task.amount(amount);
                }
                if interrupt.requested() && !told.swap(true, Ordering::SeqCst) {
                    progress.say("Ctrl-C: QEMU cannot stop in the middle of this; waiting for it");
                }
            };
            work(guest, tell).with_context(|| format!("cannot {stage} {}", guest.node))?;
            task.done();
            Ok(())
        });
        let mut failures: Vec<anyhow::Error> =
            results.into_iter().filter_map(Result::err).collect();
        let Some(last) = failures.pop() else {
            return Ok(());
        };
        for failure in &failures {
            progress.say(render(failure).trim_end());
        }
        Err(last)
    }

    /// Removes a snapshot from every machine that has it, also where QEMU has died.
    pub(super) fn delete(&mut self, tag: &str) -> Result<()> {
        let deleted = at_once(&mut self.machines, |guest| guest.delete(tag, &|_| ()));
        deleted.into_iter().collect()
    }

    /// As after a failure: removes a snapshot from every machine that has it, and lets those
    /// go on that were paused. The machines where that can't be done now, and why.
    pub(super) fn undo(&mut self, tag: &str) -> Vec<(NodeName, anyhow::Error)> {
        let paused = std::mem::take(&mut self.paused);
        let undone = at_once(&mut self.machines, |guest| {
            let mut undone = guest.delete(tag, &|_| ());
            if paused && !undone.as_ref().is_err_and(stalled) {
                undone = undone.and(guest.images.resume());
            }
            Some((guest.node.clone(), undone.err()?))
        });
        undone.into_iter().flatten().collect()
    }

    /// Where each machine has the snapshot.
    pub(super) fn find(&mut self, tag: &str) -> Result<Vec<(NodeName, Found)>> {
        let found = self.machines.iter_mut().map(|Guest { node, images }| {
            let found = images
                .find(tag)
                .with_context(|| format!("cannot look into {node}'s images"))?;
            Ok((node.clone(), found))
        });
        found.collect()
    }
}

impl Guest {
    pub(super) fn delete(&mut self, tag: &str, tell: &Tell<'_>) -> Result<()> {
        let deleted = self.images.look_again();
        deleted
            .and_then(|()| self.images.delete(tag, tell))
            .with_context(|| format!("cannot remove the snapshot {tag} of {}", self.node))
    }
}

impl Drop for Guests<'_> {
    /// On every way out: a guest that goes on already is not disturbed.
    fn drop(&mut self) {
        if self.paused {
            let _ = self.resume();
        }
    }
}
