//! The undo of a save, restore or removal that was broken off. It is noted before the work
//! begins, so that the next run of hardway finishes what this one cannot: QEMU may answer
//! only later, and this run may be killed.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::{Name, keys, record};
use crate::cluster::at_once::at_once;
use crate::cluster::progress::Progress;
use crate::cluster::{lock, machines};
use crate::file;
use crate::machine::images::{Found, Images};
use crate::machine::movement::SHORT_STALL;
use crate::machine::{Host, process};
use crate::report::render;
use crate::state::Paths;
use crate::topology::NodeName;

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

    fn finish(&self, paths: &Paths, progress: &Progress) -> Result<()> {
        let Some(host) = Host::pinned(paths)? else {
            return self.done(paths);
        };
        let mut nodes = machines::known(paths)?;
        nodes.retain(|node| paths.node(node).disk().is_file());
        let finished = at_once(&nodes, |node| {
            let finished = self.finish_one(paths, &host.qemu, node, progress);
            finished.with_context(|| format!("cannot undo it on {node}"))
        });
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
    ) -> Result<()> {
        let back = self.back.contains(node);
        if back && self.off.contains(node) {
            end(paths, node)?;
        }
        let mut images = Images::of(qemu, paths, node, SHORT_STALL, self.paused)?;
        images.look_again()?;
        if back && images.find(&self.tag)? != Found::Nowhere {
            images.pause()?;
            images.load(&self.tag, &|_| ())?;
            progress.say(&format!("{node} is as it was before the restore"));
        }
        if !self.whole(paths) {
            images.delete(&self.tag, &|_| ())?;
        }
        match self.paused {
            true => images.resume(),
            false => Ok(()),
        }
    }
}

/// Ends the machine if it runs: it was started only to be restored.
pub(super) fn end(paths: &Paths, node: &NodeName) -> Result<()> {
    process::find(paths, node).map_or(Ok(()), |running| running.kill())
}

fn noted(paths: &Paths) -> Vec<Undo> {
    let entries = fs::read_dir(paths.snapshots()).into_iter().flatten();
    let files = entries.flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> = files
        .filter(|path| path.extension() == Some(OsStr::new(EXTENSION)))
        .collect();
    files.sort();
    let read = |file: PathBuf| serde_json::from_slice(&fs::read(file).ok()?).ok();
    files.into_iter().filter_map(read).collect()
}

/// Undoes what an earlier run noted and could not undo. What can't be undone now either is
/// told, and stays noted: a verb that has nothing to do with it goes on.
pub(in crate::cluster) fn finish(paths: &Paths) {
    for undo in noted(paths) {
        let progress = Progress::new([]);
        let what = format!("what `hardway {}` left", undo.verb);
        progress.say(&format!("undoing {what}"));
        if let Err(error) = undo.finish(paths, &progress) {
            progress.say(&format!(
                "warning: cannot undo {what}; the next command tries again\n{}",
                render(&error)
                    .trim_end()
                    .replacen("error: ", "caused by: ", 1)
            ));
        }
    }
}

/// The same for who needs no lock otherwise; nothing where another run holds it.
pub fn finish_undo(paths: &Paths) -> Result<()> {
    match noted(paths).is_empty() || lock::check(paths).is_err() {
        true => Ok(()),
        false => lock::hold(paths, "snapshot list", || Ok(())),
    }
}
