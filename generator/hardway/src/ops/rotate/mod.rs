//! `hardway pki rotate-ca`: an authority is replaced step by step, and every machine has
//! what one step made before the next is begun.

mod pods;

use anyhow::{Result, anyhow};
use serde::Serialize;

use super::apply::{self, Listener, Wishes};
use super::install::Site;
use super::interrupt::Interrupt;
use super::lock;
use super::progress::Progress;
use crate::deploy::install;
use common::report::WithHint;
use common::state::Paths;
use model::plan::{self, Authority, Plan};
use model::topology::Topology;
use pki::{self, Rotation, Step, Use};

/// A step that was done on this host.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Done {
    pub step: Step,
    /// Below .hardway/pki.
    pub files: Vec<String>,
    /// Who has to start again to see them.
    pub used: Vec<Use>,
    /// The nodes that do not have them yet; `--apply` brings them there.
    pub waits_for: Vec<String>,
    /// An earlier run has begun it.
    pub resumed: bool,
}

/// Who hears of each step, and of what its way to the machines does.
pub trait Watcher: Listener {
    fn step(&mut self, done: &Done);
}

/// How a run ended.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ended {
    pub steps: Vec<Done>,
    /// The old authority is trusted by nobody any more.
    pub over: bool,
}

/// Only of an authority that signs here.
fn ours(topology: &Topology, authority: Authority) -> Result<()> {
    if !topology.is_external(authority) {
        return Ok(());
    }
    let stem = authority.stem();
    Err(anyhow!("{stem}'s key is elsewhere, as cluster.json has it")).hint(format!(
        "let whoever has the key make another; with its key here, take {stem} out of \
         externalAuthorities and `hardway pki rotate-ca {stem}` replaces it"
    ))
}

/// What the steps that are left would change; nothing is done.
pub fn preview(paths: &Paths, topology: &Topology, authority: Authority) -> Result<Vec<Done>> {
    ours(topology, authority)?;
    let plan = plan::plan(topology);
    let from = match under_way(paths, authority)? {
        Some(rotation) => rotation.step,
        None => Step::TrustBoth,
    };
    let steps = Step::ALL.into_iter().filter(|step| *step >= from);
    Ok(steps
        .map(|step| done(Rotation { authority, step }, &plan, Vec::new()))
        .collect())
}

/// Goes on with the rotation of `authority`, or begins it: as far as the machines are, or
/// with `bring` to its end, each step brought to them in between.
pub fn rotate(
    paths: &Paths,
    topology: &Topology,
    authority: Authority,
    bring: bool,
    watcher: &mut dyn Watcher,
) -> Result<Ended> {
    ours(topology, authority)?;
    if bring {
        super::up::virtual_only(topology)?;
    }
    lock::hold(paths, "pki rotate-ca", || {
        let names = topology.nodes.iter().map(|node| node.name.as_str());
        let run = Run {
            site: Site {
                paths,
                topology,
                plan: &plan::plan(topology),
                progress: &Progress::new(names.chain(["cluster"])),
                interrupt: &Interrupt::install()?,
            },
            authority,
            bring,
        };
        run.all(watcher)
    })
}

/// The rotation of this authority that is under way; an error where it is another's.
fn under_way(paths: &Paths, authority: Authority) -> Result<Option<Rotation>> {
    let found = Rotation::read(paths)?;
    if let Some(other) = found.filter(|found| found.authority != authority) {
        let other = other.authority.stem();
        return Err(anyhow!("{other} is being replaced, and one at a time is"))
            .hint(format!("end that first: hardway pki rotate-ca {other}"));
    }
    Ok(found)
}

fn done(rotation: Rotation, plan: &Plan, waits_for: Vec<String>) -> Done {
    let (files, used) = rotation.changes(plan);
    Done {
        step: rotation.step,
        files,
        used,
        waits_for,
        resumed: false,
    }
}

struct Run<'a> {
    site: Site<'a>,
    authority: Authority,
    bring: bool,
}

impl Run<'_> {
    fn all(&self, watcher: &mut dyn Watcher) -> Result<Ended> {
        let (paths, plan) = (self.site.paths, self.site.plan);
        let (mut rotation, mut resumed) = match under_way(paths, self.authority)? {
            Some(rotation) => (rotation, true),
            None => (self.begin(watcher)?, false),
        };
        let mut steps = Vec::new();
        loop {
            self.site.interrupt.check()?;
            rotation.carry_out(plan, paths)?;
            self.host()?;
            let step = Done {
                resumed,
                ..done(rotation, plan, self.lacking()?)
            };
            resumed = false;
            watcher.step(&step);
            // Nobody can tell what a machine has that hardway does not run.
            let unknown = self.site.topology.remote().is_some();
            let waits = !step.waits_for.is_empty() || unknown;
            steps.push(step);
            if waits && !self.bring {
                // The last step is over once its files are there: the next run says so.
                return Ok(Ended { steps, over: false });
            }
            if self.bring {
                self.bring(rotation, watcher)
                    .hint(self.go_on("mend it, and go on"))?;
            }
            match rotation.step.next() {
                Some(step) => {
                    rotation = Rotation { step, ..rotation };
                    rotation.note(paths)?;
                }
                None => {
                    Rotation::forget(paths)?;
                    return Ok(Ended { steps, over: true });
                }
            }
        }
    }

    fn go_on(&self, first: &str) -> String {
        format!(
            "{first}: hardway pki rotate-ca {}{}",
            self.authority.stem(),
            if self.bring { " --apply" } else { "" }
        )
    }

    /// Only where every machine has the keys of now: else the step before another one's
    /// could be skipped on it.
    fn begin(&self, watcher: &mut dyn Watcher) -> Result<Rotation> {
        self.site.generate()?;
        let lacking = self.lacking()?;
        if !lacking.is_empty() {
            if !self.bring {
                let names = lacking.join(", ");
                return Err(anyhow!("the keys of now are not yet on {names}")).hint(format!(
                    "bring them there: hardway apply {}",
                    lacking.join(" ")
                ));
            }
            self.apply(false, watcher)?;
        }
        let rotation = Rotation {
            authority: self.authority,
            step: Step::TrustBoth,
        };
        rotation.note(self.site.paths)?;
        Ok(rotation)
    }

    /// The nodes that were installed and have other keys than those of now.
    fn lacking(&self) -> Result<Vec<String>> {
        let Site {
            paths,
            topology,
            plan,
            ..
        } = self.site;
        let mut names = Vec::new();
        for node in &topology.nodes {
            if install::keys_drift(paths, topology, plan, node)? {
                names.push(node.name.to_string());
            }
        }
        Ok(names)
    }

    /// This host's own kubeconfig goes with every step.
    fn host(&self) -> Result<()> {
        match self.site.paths.kubeconfig().is_file() {
            true => pki::host_kubeconfig(self.site.topology, self.site.paths),
            false => Ok(()),
        }
    }

    /// Brings a step to the machines; the last one's end is the cluster's test.
    fn bring(&self, rotation: Rotation, watcher: &mut dyn Watcher) -> Result<()> {
        let last = rotation.step.next().is_none();
        let installed = |node| install::installed(self.site.paths, node).is_some();
        if !self.site.topology.nodes.iter().any(installed) {
            return Ok(());
        }
        self.apply(last, watcher)?;
        if rotation.step == Step::TrustBoth && self.authority == Authority::Cluster {
            self.pods()?;
        }
        Ok(())
    }

    fn apply(&self, verify: bool, watcher: &mut dyn Watcher) -> Result<()> {
        let wishes = Wishes {
            dry_run: false,
            verify,
        };
        apply::locked(self.site, &[], wishes, &mut Heard(watcher)).map(drop)
    }
}

/// A watcher hears of a switch as any listener does.
struct Heard<'a>(&'a mut dyn Watcher);

impl Listener for Heard<'_> {
    fn differs(&mut self, change: &apply::Change) {
        self.0.differs(change);
    }

    fn done(&mut self, change: &apply::Change) {
        self.0.done(change);
    }

    fn tested(&mut self, outcome: &super::verify::Outcome) {
        self.0.tested(outcome);
    }
}
