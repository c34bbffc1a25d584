//! What would be saved, brought back or removed: every check, and no change.

use anyhow::Result;

use super::guests::Guest;
use super::restore::{BEFORE, Ready, expired};
use super::{Ground, Kind, Name, Record, STALL, keys, made, record};
use crate::ops::interrupt::Interrupt;
use crate::ops::lock;
use crate::ops::members::listed;
use crate::ops::progress::Progress;
use crate::ops::would::Would;
use crate::runtime;
use common::state::Paths;
use model::topology::{NodeName, Topology};
use qemu::{Host, argv};

/// What is done with a snapshot in one machine.
#[derive(Clone, Copy)]
enum Work {
    Save,
    Load,
    Delete,
}

impl Work {
    /// `running`: by then.
    fn tell(self, would: &mut Would, guest: &Guest, running: bool, tag: &str) -> Result<()> {
        let node = &guest.node;
        if running {
            would.step(match self {
                Work::Save => format!("save {node} with its memory as {tag} (QMP: snapshot-save)"),
                Work::Load => {
                    format!("load {tag} into {node}, memory included (QMP: snapshot-load)")
                }
                Work::Delete => format!("remove {tag} from {node} (QMP: snapshot-delete)"),
            });
            return Ok(());
        }
        let action = match self {
            Work::Save => "-c",
            Work::Load => "-a",
            Work::Delete => "-d",
        };
        for (image, command) in guest.images.commands(action, tag)? {
            let what = match self {
                Work::Save => format!("save {node}'s {image} as {tag}"),
                Work::Load => format!("load {tag} into {node}'s {image}"),
                Work::Delete => format!("remove {tag} from {node}'s {image}"),
            };
            would.run(what, &command);
        }
        Ok(())
    }
}

/// As [`Ground::hold`], without the lock.
fn look(
    paths: &Paths,
    topology: &Topology,
    body: impl FnOnce(&Ground<'_>, &mut Would) -> Result<()>,
) -> Result<Would> {
    made(paths, topology)?;
    lock::check(paths)?;
    let mut would = Would::default();
    let ground = Ground {
        paths,
        topology,
        progress: &Progress::new([]),
        interrupt: &Interrupt::none(),
        stall: STALL,
    };
    body(&ground, &mut would)?;
    Ok(would)
}

/// What [`super::save`] would do.
pub fn look_save(paths: &Paths, topology: &Topology, name: &Name, cold: bool) -> Result<Would> {
    look(paths, topology, |ground, would| {
        let (_, guests, kind) = ground.before_save(name, cold)?;
        let all = listed(&ground.names().collect::<Vec<_>>());
        if kind == Kind::Running {
            would.step(format!("pause {all}"));
        }
        for guest in &guests.machines {
            Work::Save.tell(would, guest, kind == Kind::Running, &name.tag())?;
        }
        if kind == Kind::Running {
            would.step(format!("let {all} go on"));
        }
        would.step(format!(
            "copy the keys, certificates and kubeconfig into {}",
            keys::folder(paths, name).display()
        ));
        would.step(format!("write {}", record::path(paths, name).display()));
        Ok(())
    })
}

/// What [`super::delete`] would do.
pub fn look_delete(paths: &Paths, topology: &Topology, name: &Name) -> Result<Would> {
    look(paths, topology, |ground, would| {
        let guests = ground.before_delete(name)?;
        for file in [record::path(paths, name), keys::folder(paths, name)] {
            if file.exists() {
                would.step(format!("remove {}", file.display()));
            }
        }
        for guest in &guests.machines {
            Work::Delete.tell(would, guest, guest.images.running(), &name.tag())?;
        }
        // Also one whose record can't be read.
        let record = Record::find(paths, name).ok().flatten();
        let taken = record.map_or_else(
            || ", of which there are only remains".to_owned(),
            |record| format!(", taken {}", record.taken),
        );
        would.lose(format!("the snapshot {name}{taken}"));
        Ok(())
    })
}

/// What [`super::restore`] would do.
pub fn look_restore(
    paths: &Paths,
    topology: &Topology,
    name: &Name,
    with_pki: bool,
    wait: bool,
) -> Result<Would> {
    look(paths, topology, |ground, would| {
        let Ready {
            record,
            host,
            guests,
            starting,
        } = ground.before_restore(name, with_pki, Host::found)?;
        let all = listed(&ground.names().collect::<Vec<_>>());
        let running: Vec<NodeName> = guests
            .machines
            .iter()
            .filter(|guest| guest.images.running())
            .map(|guest| guest.node.clone())
            .collect();
        if !running.is_empty() {
            would.step(format!("pause {}", listed(&running)));
        }
        would.step(format!(
            "keep what {all} are now as {BEFORE}, until all of them are back"
        ));
        for node in starting {
            would.run(
                format!(
                    "start {}, paused, to hold what is loaded into it",
                    node.name
                ),
                &argv::boot(&host, paths, &runtime::machine(topology, node)?, None)?,
            );
        }
        for guest in &guests.machines {
            Work::Load.tell(would, guest, record.kind == Kind::Running, &name.tag())?;
        }
        if with_pki {
            would.step(format!(
                "put what {} keeps in the place of {} and {}",
                keys::folder(paths, name).display(),
                paths.pki().display(),
                paths.kubeconfig().display()
            ));
            would.lose("the keys, certificates and kubeconfig of now");
        }
        if record.kind == Kind::Running {
            would.step(format!("let {all} go on, and set their clocks"));
            let expired = expired(paths, name);
            if !expired.is_empty() {
                would.step(format!(
                    "wait for no node: since then certificates have expired: {}",
                    expired.join(", ")
                ));
            } else if wait {
                would.step("wait until every node is Ready");
            }
        }
        would.lose(format!(
            "what has happened on {all} since {} (`hardway snapshot save NAME` keeps it)",
            record.taken
        ));
        Ok(())
    })
}
