//! `hardway apply`: what is generated now takes effect on machines that run.
//!
//! One node after the other, the control plane first, and each is waited for before the
//! next is begun. Where one does not come back well, or the cluster's test fails, every
//! node goes back to what it ran before.

mod change;
mod difference;
mod guest;
mod inhibited;
mod job;
mod undo;
mod units;
mod well;

use anyhow::{Context, Result, anyhow};
use sha2::{Digest, Sha256};

pub use self::change::Change;
pub use self::difference::{FileChange, KeyChange};
use self::guest::Guest;
pub use self::inhibited::NextBoot;
use self::job::Ended;
use self::undo::Begun;
pub use self::units::Units;
use super::at_once::at_once;
use super::install::{Site, chosen};
use super::interrupt::Interrupt;
use super::limits::Limits;
use super::progress::Progress;
use super::up::virtual_only;
use super::verify::{self, Outcome, Verdict};
use super::{lock, machines};
use crate::deploy::install::{Tarballs, applied};
use crate::deploy::tarball;

use common::report::WithHint;
use common::state::Paths;
use model::plan::{self, NodePlan};
use model::topology::{Node, Role, Topology};

/// What is asked for beside the nodes.
#[derive(Debug, Clone, Copy)]
pub struct Wishes {
    /// Only look.
    pub dry_run: bool,
    /// Test the cluster at the end.
    pub verify: bool,
}

/// Who hears of what comes to light, as it does.
pub trait Listener {
    /// A node's difference, before anything is changed.
    fn differs(&mut self, change: &Change);
    /// What a node's switch has done.
    fn done(&mut self, change: &Change);
    fn tested(&mut self, outcome: &Outcome);
}

/// Brings the nodes of these names, or all, to what is generated now. Returns what
/// differed on each.
pub fn apply(
    paths: &Paths,
    topology: &Topology,
    names: &[String],
    wishes: Wishes,
    listener: &mut dyn Listener,
) -> Result<Vec<Change>> {
    let chosen = wished(topology, names)?;
    virtual_only(topology)?;
    lock::hold(paths, "apply", || {
        let names = chosen.iter().map(|node| node.name.as_str());
        let site = Site {
            paths,
            topology,
            plan: &plan::plan(topology),
            progress: &Progress::new(names.chain(["cluster"])),
            interrupt: &Interrupt::install()?,
        };
        to_nodes(site, &chosen, wishes, listener)
    })
}

/// The same for whoever holds the lock already.
pub(super) fn locked(
    site: Site<'_>,
    names: &[String],
    wishes: Wishes,
    listener: &mut dyn Listener,
) -> Result<Vec<Change>> {
    to_nodes(site, &wished(site.topology, names)?, wishes, listener)
}

fn wished<'a>(topology: &'a Topology, names: &[String]) -> Result<Vec<&'a Node>> {
    match names {
        [] => Ok(topology.nodes.iter().collect()),
        names => chosen(topology, names),
    }
}

fn to_nodes(
    site: Site<'_>,
    chosen: &[&Node],
    wishes: Wishes,
    listener: &mut dyn Listener,
) -> Result<Vec<Change>> {
    let run = Run {
        site,
        limits: machines::limits(site.paths)?,
        wishes,
    };
    if !wishes.dry_run {
        site.generate()?;
    }
    let (planes, workers): (Vec<&Node>, Vec<&Node>) = chosen
        .iter()
        .copied()
        .partition(|node| node.role == Role::ControlPlane);
    let looked = at_once(planes.into_iter().chain(workers), |node| run.look(node));
    site.interrupt.check()?;
    run.all(looked.into_iter().collect::<Result<_>>()?, listener)
}

struct Run<'a> {
    site: Site<'a>,
    limits: Limits,
    wishes: Wishes,
}

/// A node, what it should run, and how that differs from what it does.
struct Target<'a> {
    guest: Guest<'a>,
    plan: &'a NodePlan,
    tarballs: Tarballs,
    change: Change,
}

impl<'a> Run<'a> {
    /// What of `node` differs.
    fn look(&self, node: &'a Node) -> Result<Target<'a>> {
        let plan = self
            .site
            .plan
            .nodes
            .iter()
            .find(|plan| plan.name == node.name);
        let plan = plan.with_context(|| format!("the plan has no node {}", node.name))?;
        let guest = Guest::of(self.site.paths, node, self.limits)?;
        let wanted = tarball::flake_files(self.site.topology, node, plan)?;
        let keys = pki::node_files(plan, self.site.paths)?;
        let sums = keys
            .iter()
            .map(|(name, bytes)| (name.clone(), hex::encode(Sha256::digest(bytes))))
            .collect();
        let files = difference::files(&guest.flake()?, &wanted);
        let change = Change {
            node: node.name.to_string(),
            // Where files differ, the switch tells.
            boot_pending: files.is_empty() && guest.boot_pending()?,
            files,
            keys: difference::keys(&guest.keys()?, &sums),
            would: None,
            next_boot: None,
            restarted: None,
        };
        let tarballs = Tarballs::pack(self.site.paths, self.site.topology, self.site.plan, node)?;
        Ok(Target {
            guest,
            plan,
            tarballs,
            change,
        })
    }

    fn all(
        &self,
        mut targets: Vec<Target<'a>>,
        listener: &mut dyn Listener,
    ) -> Result<Vec<Change>> {
        for target in &mut targets {
            if target.change.is_empty() {
                continue;
            }
            if self.wishes.dry_run {
                self.dry(target)?;
            }
            listener.differs(&target.change);
        }
        let mut changes: Vec<Change> = targets.iter().map(|target| target.change.clone()).collect();
        if !self.wishes.dry_run {
            let mut begun = Vec::new();
            let done = self.each(&targets, &mut changes, &mut begun, listener);
            if let Err(error) = done {
                return Err(self.undo(&begun, error));
            }
            for target in &targets {
                applied(self.site.paths, target.guest.node, &target.tarballs)?;
                if !target.change.keys.is_empty() {
                    target.guest.forget_keys()?;
                }
            }
        }
        Ok(changes)
    }

    /// Asks the node itself what a switch would do; nothing of it stays there.
    fn dry(&self, target: &mut Target<'_>) -> Result<()> {
        let name = target.guest.node.name.as_str();
        let task = self.site.progress.task(name);
        task.stage("evaluate");
        let ended = match target.change.files.is_empty() {
            true => Ended::nothing(),
            false => target.guest.dry(&target.tarballs, self.site.interrupt)?,
        };
        let next_boot = NextBoot::of(&ended);
        if ended.code != 0 && next_boot.is_none() {
            return Err(anyhow!("{}", ended.log)
                .context(format!(
                    "nixos-rebuild dry-activate ended with {}",
                    ended.code
                ))
                .context(format!("{name} can't be what is generated now")))
            .hint("nothing was changed; mend it, and try again");
        }
        let mut units = Units::planned(&ended.log);
        for unit in difference::readers(target.plan, &target.change.keys) {
            if !units.restart.contains(&unit) {
                units.restart.push(unit);
            }
        }
        units.complete(&target.guest.relations()?);
        task.done();
        // Where the switch is refused, only a key that changed restarts units.
        if next_boot.is_none() || !units.restart.is_empty() {
            target.change.would = Some(units);
        }
        target.change.next_boot = next_boot;
        Ok(())
    }

    fn each<'t>(
        &self,
        targets: &'t [Target<'a>],
        changes: &mut [Change],
        begun: &mut Vec<Begun<'t, 'a>>,
        listener: &mut dyn Listener,
    ) -> Result<()> {
        let differing = targets
            .iter()
            .zip(changes)
            .filter(|(target, _)| !target.change.is_empty());
        for (target, change) in differing {
            self.site.interrupt.check()?;
            self.one(target, begun, change).with_context(|| {
                format!(
                    "cannot apply what is generated now to {}",
                    target.change.node
                )
            })?;
            listener.done(change);
        }
        if begun.is_empty() || !self.wishes.verify {
            return Ok(());
        }
        let site = self.site;
        let outcomes = verify::locked(site.paths, site.topology, site.interrupt, &mut |outcome| {
            listener.tested(outcome);
        })?;
        let failed: Vec<&str> = outcomes
            .iter()
            .filter(|outcome| outcome.verdict == Verdict::Failed)
            .map(|outcome| outcome.check)
            .collect();
        match failed.as_slice() {
            [] => Ok(()),
            failed => Err(anyhow!("{}", failed.join("; ")).context("the cluster's test failed")),
        }
    }

    /// Switches one node and waits until it is well; `change` gets what was done.
    fn one<'t>(
        &self,
        target: &'t Target<'a>,
        begun: &mut Vec<Begun<'t, 'a>>,
        change: &mut Change,
    ) -> Result<()> {
        let guest = &target.guest;
        let task = self.site.progress.task(guest.node.name.as_str());
        let before = guest.runs()?;
        begun.push(Begun {
            target,
            generation: guest.generation()?,
            kept: false,
        });
        let stage = |stage: &str| task.stage(stage);
        let keys = &target.change.keys;
        // Keys are no part of the configuration: where they alone differ, it stays.
        let configuration = !target.change.files.is_empty();
        match configuration {
            true => {
                let mut ended =
                    guest.switch(&target.tarballs, keys, &stage, self.site.interrupt)?;
                change.next_boot = NextBoot::of(&ended);
                let mut verb = "switch";
                if change.next_boot.is_some() {
                    task.stage("set for the next boot");
                    verb = "boot";
                    ended = guest.boot(self.site.interrupt)?;
                }
                if ended.code != 0 {
                    return Err(anyhow!("{}", ended.log)
                        .context(format!("nixos-rebuild {verb} ended with {}", ended.code)));
                }
            }
            false => {
                stage("send");
                guest.send_keys(&target.tarballs)?;
            }
        }
        // A new key is read when its reader starts.
        let runs = guest.runs()?;
        let mut late = difference::readers(target.plan, keys);
        late.retain(|unit| before.get(unit) == runs.get(unit));
        if !late.is_empty() {
            task.stage("restart");
            guest.restart(&late, self.site.interrupt)?;
        }
        task.stage("well");
        self.well(target)?;
        if configuration {
            guest.keep()?;
            if let Some(begun) = begun.last_mut() {
                begun.kept = true;
            }
        }
        task.done();
        change.restarted = Some(units::restarted(&before, &guest.runs()?));
        Ok(())
    }
}
