//! The undo of a save, restore or removal that was broken off. It is noted before the work
//! begins, so that the next run of hardway finishes what this one cannot: QEMU may answer
//! only later, and this run may be killed.
//!
//! While a machine has to go back to what it was, no command may let it go on: what it did
//! from then on would be lost as soon as the undo succeeds.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, anyhow};
use serde::{Deserialize, Serialize};

use super::{Name, Record, keys, record, restore, settle};
use crate::ops::at_once::at_once;
use crate::ops::interrupt::Interrupt;
use crate::ops::members::listed;
use crate::ops::progress::Progress;
use crate::ops::wait::words;
use crate::ops::{lock, machines};
use common::file;
use common::report::{Hint, WithHint, render};
use common::state::Paths;
use model::topology::NodeName;
use qemu::images::{Found, Images};
use qemu::movement::{SHORT_STALL, STALL};
use qemu::{Host, process};

const EXTENSION: &str = "undo";

/// What the next run does, unless this one comes to its end.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Undo {
    /// What was done, e.g. `snapshot save one`.
    verb: String,
    /// What is removed from all images, unless it has a record: then it is whole.
    tag: String,
    name: Option<Name>,
    /// The guests were paused, and go on after it.
    paused: bool,
    /// The machines that become again what `tag` says, before it is removed.
    pub(super) back: Vec<NodeName>,
    /// Those of them that were off.
    pub(super) off: Vec<NodeName>,
    /// What remains to be done once every machine is restored.
    #[serde(default)]
    pub(super) forward: Option<Forward>,
}

/// The host's part of a restore.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Forward {
    pub(super) name: Name,
    /// The host's keys come back too.
    pub(super) with_pki: bool,
}

impl Forward {
    /// Notes what the nodes run again, and brings back the keys. May be repeated.
    fn finish(&self, paths: &Paths) -> Result<()> {
        restore::note(paths, &Record::read(paths, &self.name)?.cluster.generation)?;
        match self.with_pki {
            true => keys::bring_back(paths, &self.name),
            false => Ok(()),
        }
    }
}

impl Undo {
    /// Of a save or a removal of `name`.
    pub(super) fn of(verb: &str, name: &Name, paused: bool) -> Self {
        Self {
            verb: format!("snapshot {verb} {name}"),
            name: Some(name.clone()),
            ..Self::of_tag("", &name.tag(), paused)
        }
    }

    /// Of the tag that a restore keeps meanwhile.
    pub(super) fn of_tag(verb: &str, tag: &str, paused: bool) -> Self {
        Self {
            verb: verb.to_owned(),
            tag: tag.to_owned(),
            name: None,
            paused,
            back: Vec::new(),
            off: Vec::new(),
            forward: None,
        }
    }

    fn path(&self, paths: &Paths) -> PathBuf {
        paths.snapshots().join(format!("{}.{EXTENSION}", self.tag))
    }

    pub(super) fn note(&self, paths: &Paths) -> Result<()> {
        let text = serde_json::to_vec(self).context("cannot note what is to be undone")?;
        file::replace(&self.path(paths), &text, file::PRIVATE)
    }

    /// Nothing is left to be done.
    pub(super) fn done(&self, paths: &Paths) -> Result<()> {
        file::remove(&self.path(paths))
    }

    fn whole(&self, paths: &Paths) -> bool {
        let name = self.name.as_ref();
        name.is_some_and(|name| record::path(paths, name).exists())
    }

    /// Until it is done, no machine may go on and no key may change.
    fn blocks(&self) -> bool {
        !self.back.is_empty() || self.forward.is_some()
    }

    /// `node` is what it was. An error where that cannot be noted: then it still has to go
    /// back.
    pub(super) fn is_back(&mut self, paths: &Paths, node: &NodeName) -> Result<()> {
        let mut left = self.clone();
        left.back.retain(|one| one != node);
        left.note(paths)?;
        *self = left;
        Ok(())
    }

    fn finish(&mut self, paths: &Paths, progress: &Progress) -> Result<()> {
        let Some(host) = Host::pinned(paths)? else {
            return self.done(paths);
        };
        if self.back.is_empty()
            && let Some(forward) = &self.forward
        {
            forward.finish(paths)?;
            self.forward = None;
            self.note(paths)?;
        }
        let mut nodes = machines::known(paths)?;
        nodes.retain(|node| paths.node(node).disk().is_file());
        let left = Mutex::new(self.clone());
        let finished = at_once(&nodes, |node| {
            let finished = self.finish_one(paths, &host.qemu, node, progress, &left);
            finished.with_context(|| format!("cannot undo it on {node}"))
        });
        self.back = left
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
            .back;
        let mut result = Ok(());
        for one in finished {
            result = result.and(one);
        }
        result?;
        if let Some(name) = self.name.as_ref().filter(|_| !self.whole(paths)) {
            keys::remove(paths, name)?;
        }
        self.done(paths)
    }

    fn finish_one(
        &self,
        paths: &Paths,
        qemu: &Path,
        node: &NodeName,
        progress: &Progress,
        left: &Mutex<Self>,
    ) -> Result<()> {
        let back = self.back.contains(node);
        if back && self.off.contains(node) {
            end(paths, node)?;
        }
        // Of guests that run it cannot be seen whether QEMU works: it has more time.
        let stall = if self.paused { SHORT_STALL } else { STALL };
        let interrupt = Interrupt::none().shared();
        let mut images = Images::of(qemu, paths, node, stall, self.paused, interrupt)?;
        images.look_again()?;
        if back {
            if images.find(&self.tag)? != Found::Nowhere {
                images.pause()?;
                images.load(&self.tag, &|_| ())?;
                progress.say(&format!("{node} is as it was before the restore"));
            }
            let mut left = left.lock().unwrap_or_else(PoisonError::into_inner);
            left.is_back(paths, node)?;
        }
        if !self.whole(paths) {
            images.delete(&self.tag, &|_| ())?;
        }
        if self.paused {
            images.resume()?;
        }
        if back && images.running() {
            settle::set_clock(paths, progress, node);
        }
        Ok(())
    }

    /// What a command says that cannot go on before it is done.
    fn unfinished(&self, paths: &Paths, error: &anyhow::Error) -> anyhow::Error {
        anyhow!(words(error))
            .context(format!("cannot undo what `hardway {}` left", self.verb))
            .context(Hint(format!(
                "remove the cause, then: hardway snapshot list; where QEMU is the cause: hardway \
                 down && hardway snapshot list; to keep the machines as they are now: rm {}",
                self.path(paths).display()
            )))
    }
}

/// Ends the machine if it runs: it was started only to be restored.
pub(super) fn end(paths: &Paths, node: &NodeName) -> Result<()> {
    process::find(paths, node).map_or(Ok(()), |running| running.kill())
}

/// What earlier runs have left to be undone. An error stands for a note that can't be read.
fn noted(paths: &Paths) -> Vec<Result<Undo>> {
    let entries = fs::read_dir(paths.snapshots()).into_iter().flatten();
    let files = entries.flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> = files
        .filter(|path| path.extension() == Some(OsStr::new(EXTENSION)))
        .collect();
    files.sort();
    files.iter().map(|file| read(file)).collect()
}

fn read(file: &Path) -> Result<Undo> {
    let read = || -> Result<Undo> { Ok(serde_json::from_slice(&fs::read(file)?)?) };
    read()
        .with_context(|| format!("cannot read {}", file.display()))
        .hint(format!(
            "it notes what has to be undone; to keep the machines as they are now, remove it: \
             rm {}",
            file.display()
        ))
}

/// Undoes what an earlier run noted and could not undo. Fails where a machine still has to
/// go back or a restore still has to come to its end, or where a note can't be read. What
/// else can't be undone now is a warning, and stays noted.
pub(in crate::ops) fn finish(paths: &Paths) -> Result<()> {
    let mut result = Ok(());
    for undo in noted(paths) {
        let one = undo.and_then(|undo| finish_noted(undo, paths));
        result = match (result, one) {
            (Err(first), Err(error)) => {
                Progress::new([]).say(render(&error).trim_end());
                Err(first)
            }
            (result, one) => result.and(one),
        };
    }
    result
}

fn finish_noted(mut undo: Undo, paths: &Paths) -> Result<()> {
    let progress = Progress::new([]);
    let what = format!("what `hardway {}` left", undo.verb);
    progress.say(&format!("undoing {what}"));
    match undo.finish(paths, &progress) {
        Err(error) if undo.blocks() => Err(undo.unfinished(paths, &error)),
        Err(error) => {
            progress.say(&format!(
                "warning: cannot undo {what}; to try again: hardway snapshot list\n{}",
                render(&error)
                    .trim_end()
                    .replacen("error: ", "caused by: ", 1)
            ));
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

/// Fails where `node` still has to go back to what it was before a restore.
pub(in crate::ops) fn may_go_on(paths: &Paths, node: &NodeName) -> Result<()> {
    for undo in noted(paths) {
        let undo = undo?;
        if undo.back.contains(node) {
            let error = anyhow!("{node} is not yet what it was before the restore");
            return Err(undo.unfinished(paths, &error));
        }
    }
    Ok(())
}

/// What is left to be undone, in words; empty where nothing is.
pub(in crate::ops) fn pending(paths: &Paths) -> Vec<String> {
    let words = |undo: Result<Undo>| match undo {
        Err(error) => words(&error),
        Ok(Undo { verb, back, .. }) if !back.is_empty() => {
            format!("`hardway {verb}` is not undone yet on {}", listed(&back))
        }
        Ok(Undo { verb, forward, .. }) => match forward {
            Some(_) => format!("`hardway {verb}` is not finished yet"),
            None => format!("`hardway {verb}` is not undone yet"),
        },
    };
    noted(paths).into_iter().map(words).collect()
}

/// For `snapshot list`, which needs no lock otherwise; nothing where another run holds it.
/// What can't be undone is a warning.
pub fn finish_undo(paths: &Paths) -> Result<()> {
    match noted(paths).is_empty() || lock::check(paths).is_err() {
        true => Ok(()),
        false => lock::hold_despite_undo(paths, "snapshot list", || Ok(())),
    }
}

/// Whether a restore has still to bring back keys.
pub(super) fn keys_are_due(paths: &Paths) -> bool {
    noted(paths)
        .iter()
        .any(|undo| undo.as_ref().is_ok_and(|undo| undo.forward.is_some()))
}
