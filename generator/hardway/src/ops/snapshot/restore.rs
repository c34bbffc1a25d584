//! Going back: everything that can be known is checked before anything is touched, and
//! what each machine was is kept until all of them are back.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use time::OffsetDateTime;

use super::guests::{Guest, Guests};
use super::record::Cluster;
use super::undo::{self, Forward, Undo};
use super::{Ground, Kind, Name, Record, keys, pinned, settle};
use crate::deploy;
use crate::deploy::install::Generation;
use crate::ops::fit;
use crate::ops::host::{self, Wanted};
use crate::ops::members::listed;
use crate::runtime;
use common::report::{WithHint, render};
use common::state::Paths;
use model::topology::{Node, NodeName, Topology};
use qemu::images::Found;
use qemu::{Host, HostOptions, process};

/// What each machine was before a restore. No name of a snapshot has this tag.
pub(super) const BEFORE: &str = "hardway~before-restore";

/// What [`restore`] did.
#[derive(Debug)]
pub struct Restored {
    pub kind: Kind,
    /// Until every machine was back and went on.
    pub took: Duration,
    /// The certificates that the machines have again, and that have expired since: no
    /// node becomes Ready with them, and nobody has waited for it.
    pub expired: Vec<String>,
    /// The nodes that run what `hardway apply` has changed since.
    pub older: Vec<NodeName>,
}

/// Brings every machine back to what it was. `with_pki`: the host's keys too. `wait`: until
/// every node is Ready. `stall`: how long to wait for a QEMU on which nothing moves.
pub fn restore(
    paths: &Paths,
    topology: &Topology,
    name: &Name,
    with_pki: bool,
    wait: bool,
    stall: Duration,
) -> Result<Restored> {
    Ground::hold(paths, topology, "restore", stall, |ground| {
        let restored = Restored {
            expired: expired(paths, name),
            ..ground.restore(name, with_pki)?
        };
        if restored.kind == Kind::Running && wait && restored.expired.is_empty() {
            settle::settle(ground)?;
        }
        Ok(restored)
    })
}

/// The certificates that the machines will have again, and that have expired since. A copy
/// that can't be read is the concern of whoever brings it back.
pub(super) fn expired(paths: &Paths, name: &Name) -> Vec<String> {
    keys::expired(paths, name, OffsetDateTime::now_utc()).unwrap_or_default()
}

/// A restore of which all that can be known is known.
pub(super) struct Ready<'a> {
    pub(super) record: Record,
    pub(super) host: Host,
    pub(super) guests: Guests<'a>,
    /// What is started to be restored.
    pub(super) starting: Vec<&'a Node>,
}

impl<'a> Ground<'a> {
    /// Fails where it can't be restored. `detect` finds what runs the machines that are off.
    pub(super) fn before_restore(
        &self,
        name: &Name,
        with_pki: bool,
        detect: fn(&Paths, &HostOptions) -> Result<Host>,
    ) -> Result<Ready<'a>> {
        let record = Record::read(self.paths, name)?;
        let runs = |node: &&Node| process::find(self.paths, &node.name).is_some();
        let (running, off): (Vec<&Node>, Vec<&Node>) = self.topology.nodes.iter().partition(runs);
        if record.kind == Kind::Cold
            && let Some(node) = running.first()
        {
            return Err(anyhow!("{} is running", node.name)).hint(format!(
                "{name} is of machines that are off: hardway down, then hardway restore {name}"
            ));
        }
        let starting = if record.kind == Kind::Running {
            off
        } else {
            Vec::new()
        };
        let host = match starting.is_empty() {
            true => pinned(self.paths)?,
            false => detect(self.paths, &HostOptions::default())?,
        };
        self.check_fits(&record, &host, with_pki)?;
        let mut guests = Guests::open(self, &host.qemu, self.names())?;
        check_whole(&mut guests, &record)?;
        self.check_room(&starting)?;
        Ok(Ready {
            record,
            host,
            guests,
            starting,
        })
    }

    fn restore(&self, name: &Name, with_pki: bool) -> Result<Restored> {
        let Ready {
            record,
            host,
            mut guests,
            starting,
        } = self.before_restore(name, with_pki, Host::detect)?;
        self.interrupt.check()?;
        let before = Cluster::now(self.paths, self.topology, &host)?.generation;

        let start = Instant::now();
        // A run that was killed may have left one.
        guests.delete(BEFORE)?;
        let mut undo = Undo::of_tag(&format!("restore {name}"), BEFORE, true);
        undo.note(self.paths)?;
        let kept = guests
            .pause()
            .and_then(|()| guests.each("keep", |guest, tell| guest.images.save(BEFORE, tell)))
            .and_then(|()| self.interrupt.check());
        if let Err(error) = kept {
            self.say_failed(self.forget(&mut guests, &undo));
            return Err(error);
        }
        // Killed from here on, it goes back; with all of them back, forward.
        undo.back = self.names().collect();
        undo.off = starting.iter().map(|node| node.name.clone()).collect();
        let restored = undo
            .note(self.paths)
            .and_then(|()| self.start(&host, &starting, &mut guests))
            .and_then(|()| {
                guests.each("restore", |guest, tell| {
                    guest.images.load(&name.tag(), tell)
                })
            })
            .and_then(|()| {
                let mut forward = undo.clone();
                forward.back.clear();
                let name = name.clone();
                forward.forward = Some(Forward { name, with_pki });
                forward.note(self.paths)
            })
            .and_then(|()| note(self.paths, &record.cluster.generation))
            .and_then(|()| match with_pki {
                true => keys::bring_back(self.paths, name),
                false => Ok(()),
            });
        if let Err(error) = restored {
            if let Err(why) = note(self.paths, &before) {
                self.warn(&why);
            }
            // A later command does what is noted: what can't be noted isn't begun either.
            if let Err(why) = undo.note(self.paths) {
                self.warn(&why);
                self.say("the machines stand still; to go on: hardway snapshot list");
                guests.machines.clear();
                return Err(error);
            }
            self.go_back(&host, &starting, &mut guests, &mut undo);
            // A machine that is not back keeps what it needs for it, and stands still.
            guests
                .machines
                .retain(|guest| !undo.back.contains(&guest.node));
            self.say_failed(self.forget(&mut guests, &undo));
            let started = |node: &NodeName| starting.iter().any(|one| one.name == *node);
            for guest in guests.machines.iter().filter(|one| !started(&one.node)) {
                if guest.images.running() {
                    settle::set_clock(self.paths, self.progress, &guest.node);
                }
            }
            return Err(error);
        }
        // Nothing but the tag is left: what changes from here on stays.
        undo.back.clear();
        let forgotten = undo
            .note(self.paths)
            .and_then(|()| self.forget(&mut guests, &undo))
            .with_context(|| format!("{name} is restored, but not every machine goes on"));
        if record.kind == Kind::Running {
            settle::set_clocks(self);
        }
        forgotten?;
        Ok(Restored {
            kind: record.kind,
            took: start.elapsed(),
            expired: Vec::new(),
            older: record.older(&before, with_pki),
        })
    }

    fn check_fits(&self, record: &Record, host: &Host, with_pki: bool) -> Result<()> {
        let name = &record.name;
        let now = Cluster::now(self.paths, self.topology, host)?;
        if with_pki {
            keys::check(self.paths, name)?;
        }
        let differences = record.differences(&now, with_pki);
        if differences.is_empty() {
            return Ok(());
        }
        Err(anyhow!(differences.join("; ")))
            .with_context(|| format!("the snapshot {name} does not fit this cluster"))
            .hint(match record.only_pki_differs(&now) {
                true => format!("bring its PKI back too: hardway restore {name} --with-pki"),
                false => {
                    format!("bring back what differs, or remove it: hardway snapshot delete {name}")
                }
            })
    }

    fn check_room(&self, off: &[&Node]) -> Result<()> {
        let wanted = Wanted::all(off.iter().copied(), |_| false, |_| true);
        // A snapshot fits machines of the size that it was saved with: no other would do.
        if !wanted.is_empty() {
            let available = host::available_memory()?;
            if let Some(shortage) = fit::between(self.paths, self.topology, &wanted, available)? {
                return Err(shortage.error(None));
            }
        }
        for node in off {
            runtime::ports_free(self.topology, node)?;
        }
        Ok(())
    }

    /// Starts the machines that are off, only to hold what is loaded into them.
    fn start(&self, host: &Host, off: &[&Node], guests: &mut Guests<'_>) -> Result<()> {
        for &node in off {
            deploy::start(host, self.paths, self.topology, node, None)?;
        }
        for guest in &mut guests.machines {
            guest.images.look_again()?;
        }
        guests.pause()
    }

    /// Every machine becomes again what it was; what became of each is told, and noted in
    /// `undo`.
    fn go_back(&self, host: &Host, started: &[&Node], guests: &mut Guests<'_>, undo: &mut Undo) {
        for Guest { node, images } in &mut guests.machines {
            let planned = self.topology.nodes.iter().find(|one| one.name == *node);
            let was_off = started.iter().any(|one| one.name == *node);
            let mut back = || -> Result<()> {
                if was_off {
                    undo::end(self.paths, node)?;
                } else if process::find(self.paths, &*node).is_none() {
                    let planned = planned.context("cluster.json does not name it")?;
                    deploy::start(host, self.paths, self.topology, planned, None)?;
                }
                images.look_again()?;
                images.pause()?;
                images.load(BEFORE, &|_| ())
            };
            match back().and_then(|()| undo.is_back(self.paths, node)) {
                Ok(()) => self.say(&format!("{node} is as it was before the restore")),
                Err(error) => {
                    self.say(&format!(
                        "{node} is not yet what it was before the restore, and stands still; to \
                         try again: hardway snapshot list\n{}",
                        render(&error).trim_end()
                    ));
                }
            }
        }
    }

    /// What the machines were is of no use any more, and they go on. Where that can't be
    /// done, a later command does it.
    fn forget(&self, guests: &mut Guests<'_>, undo: &Undo) -> Result<()> {
        let left = guests.undo(BEFORE);
        match self.left(&left) {
            Some(later) => Err(anyhow!(later)),
            None if undo.back.is_empty() => undo.done(self.paths),
            None => Ok(()),
        }
    }

    fn say_failed(&self, result: Result<()>) {
        if let Err(error) = result {
            self.warn(&error);
        }
    }
}

/// Writes down what each node runs, where it is installed.
pub(super) fn note(paths: &Paths, all: &BTreeMap<NodeName, Generation>) -> Result<()> {
    all.iter()
        .try_for_each(|(node, generation)| generation.note(paths, node))
}

/// Every machine has the snapshot, whole.
fn check_whole(guests: &mut Guests<'_>, record: &Record) -> Result<()> {
    let name = &record.name;
    let found = guests.find(&name.tag())?;
    let broken: Vec<String> = found
        .into_iter()
        .filter_map(|(node, found)| match (found, record.kind) {
            (Found::Memory, Kind::Running) | (Found::Disks, Kind::Cold) => None,
            (Found::Nowhere, _) => Some(format!("{node} does not have it")),
            (Found::Half, _) => Some(format!("{node} has it in one of its two images")),
            (Found::Disks, Kind::Running) => Some(format!("{node} has it without a memory")),
            (Found::Memory, Kind::Cold) => Some(format!("{node} has another of that name")),
        })
        .collect();
    if broken.is_empty() {
        return Ok(());
    }
    Err(anyhow!(broken.join("; ")))
        .with_context(|| format!("the snapshot {name} is not whole; nothing was touched"))
        .hint(format!(
            "it is of no use any more: hardway snapshot delete {name}"
        ))
}

impl Restored {
    /// What of a later `apply` is gone with the restore; empty where nothing is.
    pub fn gone(&self) -> String {
        if self.older.is_empty() {
            return String::new();
        }
        format!(
            "back to what they ran then: {}; to what is generated now: hardway apply\n",
            listed(&self.older)
        )
    }

    /// What to do about certificates that have expired; None where all is well.
    pub fn warning(&self, name: &Name) -> Option<String> {
        if self.expired.is_empty() {
            return None;
        }
        Some(format!(
            "warning: since {name} was saved, certificates have expired: {}; with them no node \
             becomes Ready\nhint: hardway pki renew --all, then hardway apply",
            self.expired.join(", ")
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expired_certificates_come_with_the_command_that_renews_them() {
        let mut restored = Restored {
            kind: Kind::Running,
            took: Duration::ZERO,
            expired: Vec::new(),
            older: Vec::new(),
        };
        let name: Name = "friday".parse().unwrap();
        assert_eq!(restored.warning(&name), None);
        restored.expired = vec!["admin".to_owned(), "kube-scheduler".to_owned()];
        assert_eq!(
            restored.warning(&name).unwrap(),
            "warning: since friday was saved, certificates have expired: admin, kube-scheduler; \
             with them no node becomes Ready\n\
             hint: hardway pki renew --all, then hardway apply"
        );
    }
}
