//! All machines at once: paused before the first is touched, going on after the last,
//! whatever happens in between. Running ones and such that are off are worked on alike.

use std::path::Path;

use anyhow::{Context, Result};

use crate::cluster::at_once::at_once;
use crate::cluster::progress::Progress;
use crate::machine::images::{Found, Images};
use crate::report::render;
use crate::state::Paths;
use crate::topology::NodeName;

/// The machines; those that have been paused go on when this value is dropped.
pub(super) struct Guests<'a> {
    progress: &'a Progress,
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
        paths: &Paths,
        qemu: &Path,
        nodes: impl IntoIterator<Item = NodeName>,
        progress: &'a Progress,
    ) -> Result<Self> {
        let machines = nodes.into_iter().map(|node| {
            let images = Images::of(qemu, paths, &node)
                .with_context(|| format!("cannot reach {node}'s images"))?;
            Ok(Guest { node, images })
        });
        Ok(Self {
            progress,
            paused: false,
            machines: machines.collect::<Result<_>>()?,
        })
    }

    pub(super) fn pause(&mut self) -> Result<()> {
        self.paused = true;
        for guest in &mut self.machines {
            let node = &guest.node;
            let paused = guest.images.pause();
            paused.with_context(|| format!("cannot pause {node}"))?;
        }
        Ok(())
    }

    /// Lets every guest go on.
    pub(super) fn resume(&mut self) -> Result<()> {
        let mut result = Ok(());
        for guest in &mut self.machines {
            let node = &guest.node;
            let resumed = guest.images.resume();
            result = result.and(resumed.with_context(|| format!("cannot let {node} go on")));
        }
        result
    }

    /// Does the same on every machine at once. Each is brought to its end; of several
    /// failures the last is the error, and the others are told.
    pub(super) fn each(
        &mut self,
        stage: &str,
        work: impl Fn(&mut Guest) -> Result<()> + Sync,
    ) -> Result<()> {
        let progress = self.progress;
        let results = at_once(&mut self.machines, |guest| {
            let task = progress.task(guest.node.as_str());
            task.stage(stage);
            work(guest).with_context(|| format!("cannot {stage} {}", guest.node))?;
            task.done();
            Ok(())
        });
        let mut failures: Vec<anyhow::Error> =
            results.into_iter().filter_map(Result::err).collect();
        let Some(last) = failures.pop() else {
            return Ok(());
        };
        for failure in &failures {
            self.progress.say(render(failure).trim_end());
        }
        Err(last)
    }

    /// Removes a snapshot from every machine that has it, also where QEMU has died.
    pub(super) fn delete(&mut self, tag: &str) -> Result<()> {
        let mut result = Ok(());
        for Guest { node, images } in &mut self.machines {
            let deleted = images.look_again().and_then(|()| images.delete(tag));
            result = result.and(
                deleted.with_context(|| format!("cannot remove the snapshot {tag} of {node}")),
            );
        }
        result
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

impl Drop for Guests<'_> {
    /// On every way out: a guest that goes on already is not disturbed.
    fn drop(&mut self) {
        if self.paused {
            let _ = self.resume();
        }
    }
}
