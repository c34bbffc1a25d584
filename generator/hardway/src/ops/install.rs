//! Installs nodes, all at once, a thread each: for `hardway install` and for `up`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

pub use self::look::{look, lost};
use super::at_once::at_most;
use super::fit;
use super::host::{self, Wanted};
use super::interrupt::Interrupt;
use super::progress::Progress;
use super::up::virtual_only;
use super::{lock, machines, medium};
use crate::deploy::Medium;
use crate::deploy::install::base::{self, Base, Recipe};
use crate::deploy::install::{install, record, requirements};
use crate::deploy::media::Iso;
use crate::ops::generate;
use crate::runtime::guest;
use common::report::{WithHint, render};
use common::state::Paths;
use model::plan::{self, Plan};
use model::topology::{Node, NodeName, Topology};
use qemu::{Arch, Host, HostOptions, process};

mod look;

/// What the base's stages are told under.
const BASE: &str = "base";

/// What the command line says of where and from what.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The live medium to install from, where it is not to be NixOS' own.
    pub iso: Option<Iso>,
    /// A mirror of NixOS' channel, for the medium.
    pub channel: Option<String>,
    /// Another QEMU than the one on PATH.
    pub qemu: Option<PathBuf>,
    /// The guests' architecture; the medium's if nothing says otherwise.
    pub arch: Option<Arch>,
    /// The medium holds all the packages: check no network.
    pub offline: bool,
}

/// The cluster, and how to talk to whoever waits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Site<'a> {
    pub paths: &'a Paths,
    pub topology: &'a Topology,
    pub plan: &'a Plan,
    pub progress: &'a Progress,
    pub interrupt: &'a Interrupt,
}

/// Installs the nodes of these names anew; returns how long it took.
pub fn install_named(
    paths: &Paths,
    topology: &Topology,
    names: &[String],
    options: &Options,
) -> Result<Duration> {
    let nodes = chosen(topology, names)?;
    virtual_only(topology)?;
    lock::hold(paths, "install", || {
        let start = Instant::now();
        none_runs(paths, &nodes)?;
        let plan = plan::plan(topology);
        let site = Site {
            paths,
            topology,
            plan: &plan,
            progress: &Progress::new(nodes.iter().map(|node| node.name.as_str()).chain([BASE])),
            interrupt: &Interrupt::install()?,
        };
        site.generate()?;
        site.check_host(&to_install(&nodes), &command(names))?;
        let medium = site.medium(options)?;
        let host = site.host(options, Some(&medium))?;
        site.install(&host, &nodes, &medium)?;
        Ok(start.elapsed())
    })
}

/// The nodes of these names that `up` and `install` can install.
pub fn named(topology: &Topology, names: &[String]) -> Result<Vec<NodeName>> {
    let nodes = chosen(topology, names)?;
    virtual_only(topology)?;
    Ok(nodes.iter().map(|node| node.name.clone()).collect())
}

/// The command that installs the nodes of these names.
pub fn command(names: &[String]) -> String {
    format!("install {}", names.join(" "))
}

fn none_runs(paths: &Paths, nodes: &[&Node]) -> Result<()> {
    let runs = |node: &&&Node| process::find(paths, &node.name).is_some();
    match nodes.iter().find(runs) {
        Some(node) => Err(anyhow!("{} is running", node.name)).hint("stop it first: hardway down"),
        None => Ok(()),
    }
}

fn to_install<'a>(nodes: &[&'a Node]) -> Vec<Wanted<'a>> {
    Wanted::all(nodes.iter().copied(), |_| true, |_| false)
}

pub(super) fn chosen<'a>(topology: &'a Topology, names: &[String]) -> Result<Vec<&'a Node>> {
    let mut nodes = Vec::new();
    for name in names {
        let node = machines::named(topology, name)?;
        if !nodes.contains(&node) {
            nodes.push(node);
        }
    }
    Ok(nodes)
}

impl Site<'_> {
    /// Brings hosts/ and the PKI up to date, and says which certificates had to change.
    pub(super) fn generate(&self) -> Result<()> {
        let written = generate::write(self.topology, self.plan, self.paths)?;
        written.notes().for_each(|note| self.progress.say(&note));
        Ok(())
    }

    /// The medium to install from.
    pub(super) fn medium(&self, options: &Options) -> Result<Medium> {
        let iso = medium::find(self.paths, options, false, self.progress, self.interrupt)?.path;
        open(&iso, options)
    }

    /// Whether the host has room for these machines. `command`: the one that takes --fit.
    pub(super) fn check_host(&self, wanted: &[Wanted<'_>], command: &str) -> Result<()> {
        let available = host::available_memory()?;
        if let Some(shortage) = fit::between(self.paths, self.topology, wanted, available)? {
            return Err(shortage.error(Some(command)));
        }
        let state = self.paths.state();
        // Not made yet where nothing is to be changed.
        let there = if state.is_dir() {
            &state
        } else {
            &self.paths.dir
        };
        if let Some(warning) = host::compare_disk(wanted, host::free_disk(there)?, &state)? {
            self.progress.say(&warning);
        }
        Ok(())
    }

    /// What runs the machines; the medium's kernel is what accelerators are tried with.
    pub(super) fn host(&self, options: &Options, medium: Option<&Medium>) -> Result<Host> {
        let host = Host::detect(self.paths, &host_options(options, medium))?;
        if let (Some(word), Some(_)) = (&host.passed_over, medium) {
            self.progress.say(word);
        }
        Ok(host)
    }

    /// One that fails does not stop the others: what they get done, the next run need not do.
    pub(super) fn install(&self, host: &Host, nodes: &[&Node], medium: &Medium) -> Result<()> {
        requirements(host, medium)?;
        self.interrupt.check()?;
        let bases = self.bases(host, nodes, medium);
        self.interrupt.check()?;
        let bases = bases?;
        let available = host::available_memory()?;
        let side_by_side = host::installs_at_once(&to_install(nodes), available);
        if side_by_side < nodes.len() {
            self.progress.say(&format!(
                "{available} MiB are free: {side_by_side} of {} nodes are installed at a time",
                nodes.len()
            ));
        }
        let results = at_most(side_by_side, nodes.iter().zip(&bases), |(&node, base)| {
            self.install_one(host, node, medium, base)
        });
        self.interrupt.check()?;
        self.tidy(&bases)?;
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

    /// The base of each node, made first where there is none: one for each size of disk.
    fn bases(&self, host: &Host, nodes: &[&Node], medium: &Medium) -> Result<Vec<Base>> {
        let mut made: BTreeMap<u32, Base> = BTreeMap::new();
        let mut bases = Vec::new();
        for node in nodes {
            let guest = guest(node)?;
            let base = match made.get(&guest.disk) {
                Some(base) => base.clone(),
                None => self.base(host, medium, &Recipe::new(host, self.plan, medium, guest)?)?,
            };
            made.insert(guest.disk, base.clone());
            bases.push(base);
        }
        Ok(bases)
    }

    fn base(&self, host: &Host, medium: &Medium, recipe: &Recipe<'_>) -> Result<Base> {
        if let Some(base) = recipe.find(self.paths)? {
            return Ok(base);
        }
        let task = self.progress.task(BASE);
        task.stage("disk");
        let base = recipe.make(
            host,
            self.paths,
            self.topology,
            medium,
            &|stage| task.stage(stage),
            self.interrupt.flag(),
        )?;
        task.done();
        Ok(base)
    }

    /// Removes the bases that no node needs any more.
    fn tidy(&self, bases: &[Base]) -> Result<()> {
        let new = bases.iter().map(|base| base.name.clone());
        match used(self.paths, new.collect(), &[])? {
            Some(used) => base::tidy(self.paths, &used),
            None => Ok(()),
        }
    }

    fn install_one(&self, host: &Host, node: &Node, medium: &Medium, base: &Base) -> Result<()> {
        self.interrupt.check()?;
        let task = self.progress.task(node.name.as_str());
        task.stage("disk");
        install(
            host,
            self.paths,
            self.topology,
            self.plan,
            node,
            medium,
            base,
            &|stage| task.stage(stage),
            self.interrupt.flag(),
        )?;
        task.done();
        Ok(())
    }
}

fn open(iso: &Path, options: &Options) -> Result<Medium> {
    let mut medium = Medium::open(iso)?;
    medium.self_contained |= options.offline;
    Ok(medium)
}

fn host_options(options: &Options, medium: Option<&Medium>) -> HostOptions {
    HostOptions {
        qemu: options.qemu.clone(),
        arch: options.arch.or(medium.map(|medium| medium.arch)),
        kernel: medium.map(|medium| medium.kernel.clone()),
    }
}

/// The names of the bases that are needed beside `new`, by nodes other than `anew`; None
/// where whose it was can't be told: better to keep one too many.
fn used(paths: &Paths, new: BTreeSet<String>, anew: &[&Node]) -> Result<Option<BTreeSet<String>>> {
    let mut used = new;
    for node in machines::known(paths)? {
        if anew.iter().any(|one| one.name == node) {
            continue;
        }
        match record(paths, &node) {
            Some(installed) => used.extend(installed.base.map(|base| base.name)),
            None if paths.node(&node).installed().exists() => return Ok(None),
            None => {}
        }
    }
    Ok(Some(used))
}
