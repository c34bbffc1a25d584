//! Snapshots of the cluster, not of machines: all guests stand still before the first is
//! saved and go on after the last, so that etcd, kubelets and connections agree.

mod guests;
mod keys;
mod look;
mod name;
mod record;
mod restore;
mod settle;
mod text;
mod undo;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use self::guests::Guests;
pub use self::keys::finish_restore;
pub(super) use self::keys::{replace as replace_keys, settle as settle_keys};
pub use self::look::{look_delete, look_restore, look_save};
pub use self::name::Name;
use self::record::Cluster;
pub(super) use self::record::same_topology;
pub use self::record::{Kind, Record};
pub use self::restore::{Restored, restore};
pub use self::text::{Shown, list, show};
use self::undo::Undo;
pub use self::undo::finish_undo;
pub(super) use self::undo::{finish as undo, may_go_on, pending};
use super::install::Site;
use super::interrupt::Interrupt;
use super::members::listed;
use super::progress::Progress;
use super::up::virtual_only;
use super::{host, lock, machines};
use crate::deploy::install;
use common::exposure;
use common::report::{WithHint, render};
use common::state::Paths;
use model::topology::{Node, NodeName, Topology};
use qemu::images::{Found, stalled};
pub use qemu::movement::STALL;
use qemu::{Host, process};

/// The snapshot that `up` makes of a cluster just installed, and `reset` goes back to.
const FRESH: &str = "fresh";

/// The cluster, and how to talk to whoever waits.
#[derive(Clone, Copy)]
pub(super) struct Ground<'a> {
    pub paths: &'a Paths,
    pub topology: &'a Topology,
    pub progress: &'a Progress,
    pub interrupt: &'a Interrupt,
    /// How long to wait for a QEMU on which nothing moves.
    pub stall: Duration,
}

impl<'a> Ground<'a> {
    fn names(&self) -> impl Iterator<Item = NodeName> + use<'a> {
        self.topology.nodes.iter().map(|node| node.name.clone())
    }

    /// Runs `body` under the lock, with the terminal and Ctrl-C taken over.
    fn hold<T>(
        paths: &Paths,
        topology: &Topology,
        verb: &str,
        stall: Duration,
        body: impl FnOnce(&Ground<'_>) -> Result<T>,
    ) -> Result<T> {
        made(paths, topology)?;
        lock::hold(paths, verb, || {
            let names = topology.nodes.iter().map(|node| node.name.as_str());
            body(&Ground {
                paths,
                topology,
                progress: &Progress::new(names.chain(["cluster"])),
                interrupt: &Interrupt::install()?,
                stall,
            })
        })
    }
}

/// Fails where there is no cluster that snapshots could be of.
fn made(paths: &Paths, topology: &Topology) -> Result<()> {
    virtual_only(topology)?;
    match paths.state().is_dir() {
        true => Ok(()),
        false => Err(anyhow!(
            "no cluster yet: there is no {}",
            paths.state().display()
        ))
        .hint("run `hardway up`"),
    }
}

/// What runs the machines, as an earlier run found it.
fn pinned(paths: &Paths) -> Result<Host> {
    Host::pinned(paths)?
        .ok_or_else(|| anyhow!("no machine has been started here yet"))
        .hint("run `hardway up`")
}

/// What [`save`] did.
#[derive(Debug)]
pub struct Saved {
    pub record: Record,
    /// How long the guests stood still; none where they were off.
    pub paused: Option<Duration>,
}

/// Saves the cluster as it is now. `stall`: how long to wait for a QEMU on which nothing
/// moves, usually [`STALL`].
pub fn save(
    paths: &Paths,
    topology: &Topology,
    name: &Name,
    description: Option<&str>,
    cold: bool,
    stall: Duration,
) -> Result<Saved> {
    Ground::hold(paths, topology, "snapshot save", stall, |ground| {
        ground.save(name, description, cold)
    })
}

/// Removes a snapshot, and what is left of one that someone removed in part. `stall`: as
/// with [`save`].
pub fn delete(paths: &Paths, topology: &Topology, name: &Name, stall: Duration) -> Result<()> {
    Ground::hold(paths, topology, "snapshot delete", stall, |ground| {
        ground.delete(name)
    })
}

/// After an installation: saves the cluster as `fresh`, unless there is one that still
/// fits. A cluster that can't be saved is up all the same.
pub(super) fn fresh(site: &Site<'_>) {
    let ground = Ground {
        paths: site.paths,
        topology: site.topology,
        progress: site.progress,
        interrupt: site.interrupt,
        stall: STALL,
    };
    if let Err(error) = ground.fresh() {
        ground.progress.say(&format!(
            "warning: there is no snapshot {FRESH} to reset to\n{}",
            render(&error).trim_end()
        ));
    }
}

/// The name of the snapshot that `reset` goes back to.
pub fn fresh_name() -> Result<Name> {
    FRESH.parse().map_err(|why: String| anyhow!(why))
}

impl<'a> Ground<'a> {
    /// What is to be saved. Fails where it can't be; changes nothing.
    fn before_save(&self, name: &Name, cold: bool) -> Result<(Host, Guests<'a>, Kind)> {
        if Record::find(self.paths, name)?.is_some() {
            return Err(anyhow!("there is a snapshot {name} already")).hint(format!(
                "take another name, or remove it first: hardway snapshot delete {name}"
            ));
        }
        // Its copy of the keys is written last: say no before the guests stand still.
        exposure::refuse(&self.paths.state())?;
        let missing = |node: &&Node| install::installed(self.paths, node).is_none();
        if let Some(node) = self.topology.nodes.iter().find(missing) {
            return Err(anyhow!("{} is not installed", node.name)).hint("run `hardway up` first");
        }
        self.sizes_as_started()?;
        let host = pinned(self.paths)?;
        let guests = Guests::open(self, &host.qemu, self.names())?;
        let kind = kind(&guests, cold)?;
        Ok((host, guests, kind))
    }

    /// Fails where a machine runs with another memory than cluster.env gives it: a restore
    /// would start it with that, and could not load what it has now.
    fn sizes_as_started(&self) -> Result<()> {
        for node in &self.topology.nodes {
            let now = process::find(self.paths, &node.name).and_then(|running| running.memory());
            if let (Some(now), Some(guest)) = (now, node.guest())
                && now != guest.memory
            {
                return Err(anyhow!(
                    "{} runs with {now} MiB of memory, and cluster.json or cluster.env gives it {}",
                    node.name,
                    guest.memory
                ))
                .hint(
                    "start it with its new size: hardway down && hardway up; or write the old \
                     size again",
                );
            }
        }
        Ok(())
    }

    pub(super) fn save(&self, name: &Name, description: Option<&str>, cold: bool) -> Result<Saved> {
        let (host, mut guests, kind) = self.before_save(name, cold)?;
        let tag = name.tag();
        // What a run that was killed left.
        guests.delete(&tag)?;
        self.interrupt.check()?;

        let undo = Undo::of("save", name, kind == Kind::Running);
        undo.note(self.paths)?;
        let start = Instant::now();
        let saved = guests
            .pause()
            .and_then(|()| guests.each("save", |guest, tell| guest.images.save(&tag, tell)))
            .and_then(|()| self.interrupt.check());
        if let Err(error) = saved {
            // Lets the guests go on, too.
            self.undo_save(&mut guests, name, &undo);
            return Err(error);
        }
        let record = guests.resume();
        let paused = (kind == Kind::Running).then(|| start.elapsed());
        let record = record.and_then(|()| self.write_down(name, description, kind, &host));
        match record {
            Ok(record) => {
                undo.done(self.paths)?;
                Ok(Saved { record, paused })
            }
            Err(error) => {
                self.undo_save(&mut guests, name, &undo);
                Err(error)
            }
        }
    }

    fn undo_save(&self, guests: &mut Guests<'_>, name: &Name, undo: &Undo) {
        let left = guests.undo(&name.tag());
        let undone = match left.is_empty() {
            true => keys::remove(self.paths, name).and_then(|()| undo.done(self.paths)),
            false => Ok(()),
        };
        if let Err(why) = undone {
            self.warn(&why);
        }
        match self.left(&left) {
            None => self.say(&format!("{name} was not saved: no machine keeps any of it")),
            Some(later) => self.say(&format!("{name} was not saved. {later}")),
        }
    }

    /// What is left to the next command, and why; none where nothing is.
    fn left(&self, left: &[(NodeName, anyhow::Error)]) -> Option<String> {
        if left.is_empty() {
            return None;
        }
        let nodes: Vec<NodeName> = left.iter().map(|(node, _)| node.clone()).collect();
        let mut text = format!(
            "On {} the undo is not complete; to complete it: hardway snapshot list",
            listed(&nodes)
        );
        // That QEMU does not answer is told already.
        for (_, error) in left.iter().filter(|(_, error)| !stalled(error)) {
            text += "\n";
            text += render(error).trim_end();
        }
        Some(text)
    }

    fn say(&self, text: &str) {
        self.progress.say(text);
    }

    fn warn(&self, error: &anyhow::Error) {
        self.say(&format!(
            "warning: {}",
            render(error).trim_end().trim_start_matches("error: ")
        ));
    }

    fn write_down(
        &self,
        name: &Name,
        description: Option<&str>,
        kind: Kind,
        host: &Host,
    ) -> Result<Record> {
        keys::keep(self.paths, name)?;
        let now = OffsetDateTime::now_utc().replace_nanosecond(0)?;
        let record = Record {
            name: name.clone(),
            description: description.map(ToOwned::to_owned),
            taken: now.format(&Rfc3339)?,
            kind,
            cluster: Cluster::now(self.paths, self.topology, host)?,
        };
        record.write(self.paths)?;
        Ok(record)
    }

    /// The machines that have any of the snapshot. Fails where there is none of that name.
    fn before_delete(&self, name: &Name) -> Result<Guests<'a>> {
        let host = pinned(self.paths)?;
        // Also nodes that cluster.json no longer names.
        let mut known = machines::known(self.paths)?;
        known.retain(|node| self.paths.node(node).disk().is_file());
        let mut guests = Guests::open(self, &host.qemu, known)?;
        let found = guests.find(&name.tag())?;
        let mut found = found.iter().map(|(_, found)| *found != Found::Nowhere);
        guests.machines.retain(|_| found.next().unwrap_or(true));
        if guests.machines.is_empty() && !record::path(self.paths, name).exists() {
            // Names those that there are.
            Record::read(self.paths, name)?;
        }
        Ok(guests)
    }

    fn delete(&self, name: &Name) -> Result<()> {
        let mut guests = self.before_delete(name)?;
        let undo = Undo::of("delete", name, false);
        undo.note(self.paths)?;
        // Before the bytes: no record promises what is no longer there.
        Record::remove(self.paths, name)?;
        guests
            .each("delete", |guest, tell| guest.delete(&name.tag(), tell))
            .inspect_err(|_| {
                self.say(&format!(
                    "to remove what is left of {name}: hardway snapshot list"
                ));
            })?;
        keys::remove(self.paths, name)?;
        undo.done(self.paths)
    }

    fn fresh(&self) -> Result<()> {
        let name = fresh_name()?;
        if let Some(record) = Record::find(self.paths, &name)? {
            let now = Cluster::now(self.paths, self.topology, &pinned(self.paths)?)?;
            if record.cluster.generation == now.generation {
                return Ok(());
            }
            // Part of it went with the disk of a node that was installed again.
            self.delete(&name)?;
        }
        let guests = self.topology.nodes.iter().filter_map(|node| node.guest());
        let memory: u64 = guests.map(|guest| u64::from(guest.memory)).sum();
        let free = host::free_disk(&self.paths.state())?;
        if free << 10 < memory {
            return Err(anyhow!(
                "the guests have {memory} MiB of memory, and {free} GiB of disk are free"
            ));
        }
        self.save(&name, Some("after the installation"), false)
            .map(drop)
    }
}

/// All machines run, or none does: anything else is no state of a cluster.
fn kind(guests: &Guests<'_>, cold: bool) -> Result<Kind> {
    let (run, off): (Vec<_>, Vec<_>) = guests
        .machines
        .iter()
        .partition(|guest| guest.images.running());
    match (run.first(), off.first()) {
        (Some(one), _) if cold => Err(anyhow!("{} is running", one.node))
            .hint("a cold snapshot is of machines that are off: hardway down"),
        (Some(_), None) => Ok(Kind::Running),
        (None, _) => Ok(Kind::Cold),
        (Some(one), Some(other)) => {
            Err(anyhow!("{} is running and {} is off", one.node, other.node))
                .hint("`hardway up` starts what is off, `hardway down` stops the rest")
        }
    }
    .context("a snapshot is of the whole cluster")
}
