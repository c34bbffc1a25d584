//! `hardway up`: from cluster.json to every node Ready, from wherever the last run stopped.
//!
//! Each step looks at what is and does only what is missing, so a second `up`
//! finds nothing to do, and one after a kill goes on.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};

use super::capture::Capture;
use super::host::Wanted;
use super::install::{Options, Site};
use super::interrupt::Interrupt;
use super::limits::Limits;
use super::machines::{self, State};
use super::progress::Progress;
use super::wait::{Look, Wait, words};
use super::{bootstrap, cilium, dns, down, follow, fresh, lock, nodes, shrink, snapshot};
use crate::deploy;
use crate::deploy::install::{base, drift, installed};
use crate::ops::api;
use crate::runtime::{self, guest};
use common::report::WithHint;
use common::state::Paths;
use kube::Client;
use model::plan;
use model::topology::{Cni, Node, NodeName, Topology};
use qemu::{capture, process};

/// How long one look at `/readyz` may take: the forwarded port takes a connection
/// before anything listens in the guest, and would keep us until the limit.
const LOOK: Duration = Duration::from_secs(10);

/// How many nodes' logs an error shows.
const LOGS: usize = 3;

/// What `up` is asked for beside the cluster.
#[derive(Debug, Default)]
pub struct Wishes {
    pub source: Options,
    /// Cilium's Helm chart on disk.
    pub chart: Option<PathBuf>,
    /// After an installation, save what `reset` goes back to.
    pub snapshot: bool,
    /// Machines whose network is captured.
    pub captures: Vec<Capture>,
    /// Nodes that cluster.json no longer has, and that may go.
    pub leaving: Vec<NodeName>,
    /// The command to repeat with --fit where the host has too little memory: `up`, or
    /// [`super::fit::CLUSTER_UP`].
    pub command: &'static str,
}

/// Brings the cluster up.
pub fn up(paths: &Paths, topology: &Topology, wishes: &Wishes) -> Result<()> {
    virtual_only(topology)?;
    run(paths, topology, wishes, "up")
}

/// What a cluster on machines of the user's own still needs once they run: permissions,
/// Cilium, Pods' ranges. Its API server is reached as a guest's is, at the port on this
/// host's loopback.
pub fn bootstrap(paths: &Paths, topology: &Topology, chart: Option<PathBuf>) -> Result<()> {
    if topology.remote().is_none() {
        return Err(anyhow!(
            "the nodes of {} are virtual machines",
            topology.name
        ))
        .hint("`hardway up` does all of it");
    }
    let wishes = Wishes {
        chart,
        ..Wishes::default()
    };
    run(paths, topology, &wishes, "bootstrap")
}

/// Fails where machines are the user's own: this program neither starts nor sees them.
pub fn virtual_only(topology: &Topology) -> Result<()> {
    topology
        .remote()
        .map_or(Ok(()), |node| guest(node).map(|_| ()))
}

fn run(paths: &Paths, topology: &Topology, wishes: &Wishes, verb: &str) -> Result<()> {
    lock::hold(paths, verb, || {
        let names = topology.nodes.iter().map(|node| &node.name);
        let names = names.chain(&wishes.leaving).map(NodeName::as_str);
        let site = Site {
            paths,
            topology,
            plan: &plan::plan(topology),
            progress: &Progress::new(names.chain(["cluster"])),
            interrupt: &Interrupt::install()?,
        };
        Up { site, wishes }.run()
    })
}

struct Up<'a> {
    site: Site<'a>,
    wishes: &'a Wishes,
}

impl Up<'_> {
    fn run(&self) -> Result<()> {
        self.site.generate()?;
        pki::host_kubeconfig(self.site.topology, self.site.paths)?;
        let installs = |node| installed(self.site.paths, node).is_none();
        let to_save = self.wishes.snapshot && self.site.topology.nodes.iter().any(installs);
        let mut control_planes = self.site.topology.control_planes();
        if self.site.topology.remote().is_none() && control_planes.any(installs) {
            pki::bootstrap_ready(self.site.topology, self.site.paths)?;
        }
        let (started, limits) = match self.site.topology.remote() {
            None => (self.machines()?, machines::limits(self.site.paths)?),
            Some(_) => (false, Limits::new(1)),
        };
        self.wait_for_api(limits)?;
        let admin = api::client(
            self.site.topology.api_port,
            &pki::admin_identity(self.site.paths)?,
            limits.request(),
        )?;
        let task = self.site.progress.task("cluster");
        task.stage("permissions");
        bootstrap::bindings(
            self.site.topology,
            self.site.paths,
            &admin,
            limits.request(),
        )?;
        if self.site.topology.cni == Cni::Cilium {
            task.stage("Cilium");
            let chart = self.wishes.chart.as_deref();
            cilium::install(self.site.paths, &admin, chart, self.site.interrupt)?;
        }
        // Before the nodes are Ready, so that its Pods start as soon as one is.
        task.stage("CoreDNS");
        dns::apply(self.site.paths, &admin)?;
        task.stage("nodes Ready");
        self.wait_for_nodes(&admin, limits, started)?;
        task.stage("nodes know each other");
        let nobody = self.wishes.leaving.is_empty().then_some(&[][..]);
        follow::follow(&self.site, limits, nobody)?;
        shrink::shrink(&self.site, &admin, limits, &self.wishes.leaving)?;
        task.stage("names resolve");
        let named = self
            .wait("CoreDNS to serve", limits.dns(), &[], limits)
            .until(|| Ok(dns::look(&admin)));
        task.done();
        if let Err(error) = named {
            self.site.interrupt.check()?;
            self.site.progress.say(&dns::warning(&error));
        }
        if to_save {
            snapshot::fresh(&self.site);
        }
        Ok(())
    }

    /// Installs what is not installed and starts what does not run. True when any was started.
    fn machines(&self) -> Result<bool> {
        let (mut to_install, mut to_start) = (Vec::new(), Vec::new());
        let mut unreachable = Vec::new();
        for node in &self.site.topology.nodes {
            match machines::state(self.site.paths, node)? {
                State::NotInstalled => to_install.push(node),
                State::Stopped => to_start.push(node),
                State::Unreachable(running) => {
                    unreachable.push((&node.name, running));
                    to_start.push(node);
                }
                State::Running => {
                    if let (Some(file), Some(running)) = (
                        self.capture(node),
                        process::find(self.site.paths, &node.name),
                    ) {
                        capture::attach(
                            &running,
                            &runtime::machine(self.site.topology, node)?,
                            file,
                        )
                        .with_context(|| format!("{} runs without a capture", node.name))?;
                    }
                }
            }
        }
        let Site {
            paths,
            progress,
            interrupt,
            ..
        } = self.site;
        down::unreachable(paths, progress, &unreachable, interrupt)?;
        self.warn_of_drift(&to_install)?;
        if to_install.is_empty() && to_start.is_empty() {
            return Ok(false);
        }
        // Installing takes minutes: what would keep a machine from starting is told before.
        for node in &to_start {
            base::check(self.site.paths, self.site.topology, node)?;
        }
        let wanted = Wanted::all(
            to_install.iter().chain(&to_start).copied(),
            |node| to_install.contains(&node),
            |_| true,
        );
        self.site.check_host(&wanted, self.wishes.command)?;
        let cilium = self.site.topology.cni == Cni::Cilium;
        if cilium {
            cilium::helm()?;
        }
        let host = if to_install.is_empty() {
            self.site.host(&self.wishes.source, None)?
        } else {
            for Wanted { node, .. } in &wanted {
                runtime::ports_free(self.site.topology, node)?;
            }
            let medium = self.site.medium(&self.wishes.source)?;
            let host = self.site.host(&self.wishes.source, Some(&medium))?;
            if cilium && let Some(warning) = cilium::registry_warning() {
                self.site.progress.say(&warning);
            }
            self.site.install(&host, &to_install, &medium)?;
            host
        };
        for node in to_install.into_iter().chain(to_start) {
            self.site.interrupt.check()?;
            let (paths, topology) = (self.site.paths, self.site.topology);
            runtime::join_segment(&host, paths, topology, node)
                .and_then(|()| deploy::start(&host, paths, topology, node, self.capture(node)))
                .with_context(|| format!("cannot start {}", node.name))?;
        }
        Ok(true)
    }

    /// The file into which the network of `node` is captured.
    fn capture(&self, node: &Node) -> Option<&Path> {
        let captures = &self.wishes.captures;
        let found = captures.iter().find(|one| one.node == node.name)?;
        Some(&found.file)
    }

    /// What is generated now may differ from what a node was installed with.
    fn warn_of_drift(&self, to_install: &[&Node]) -> Result<()> {
        for node in &self.site.topology.nodes {
            let installs = to_install.iter().any(|other| other.name == node.name);
            if !installs && drift(self.site.paths, self.site.topology, self.site.plan, node)? {
                self.site.progress.say(&format!(
                    "warning: {0} runs an older configuration than hosts/{0} has now; \
                     `hardway apply {0}` brings it there",
                    node.name
                ));
            }
        }
        Ok(())
    }

    fn wait_for_api(&self, limits: Limits) -> Result<()> {
        let control_plane = self
            .site
            .topology
            .control_planes()
            .next()
            .context("no control plane")?;
        let identity = pki::admin_identity(self.site.paths)?;
        let client = api::client(self.site.topology.api_port, &identity, LOOK)?;
        let task = self.site.progress.task(control_plane.name.as_str());
        task.stage("API ready");
        self.wait(
            "the API server to be ready",
            limits.ready_api(),
            &[control_plane],
            limits,
        )
        .until(|| {
            let error = match client.text("/readyz") {
                Ok(_) => return Ok(Look::Done(())),
                Err(error) => words(&error),
            };
            Ok(self.lost(control_plane).unwrap_or(Look::Missing(error)))
        })?;
        task.done();
        Ok(())
    }

    fn wait_for_nodes(&self, admin: &Client, limits: Limits, started: bool) -> Result<()> {
        let workers: Vec<&Node> = self.site.topology.workers().collect();
        let limit = match self.site.topology.cni {
            Cni::Bridge => limits.ready_nodes(),
            Cni::Cilium => limits.pull(),
        };
        let before = match started {
            true => Some(fresh::leases(admin)?),
            false => None,
        };
        self.wait("every node to be Ready", limit, &workers, limits)
            .until(|| {
                let registered = match nodes::list(admin) {
                    Ok(registered) => registered,
                    // A busy control plane may be late once.
                    Err(error) => return Ok(Look::Missing(words(&error))),
                };
                if self.site.topology.cni == Cni::Bridge {
                    for &node in &workers {
                        if let Some(found) = registered
                            .iter()
                            .find(|found| found.name == node.name.as_str())
                        {
                            nodes::check_pod_cidr(node, found)?;
                            if let Err(error) = nodes::set_pod_cidr(admin, node, found) {
                                return Ok(Look::Missing(words(&error)));
                            }
                        }
                    }
                }
                let mut missing = nodes::missing(&workers, &registered);
                if missing.is_empty() && self.site.topology.remote().is_none() {
                    let stale = fresh::stale(
                        self.site.paths,
                        admin,
                        limits,
                        &workers,
                        &registered,
                        before.as_ref(),
                    );
                    missing = stale.unwrap_or_else(|error| vec![words(&error)]);
                }
                if missing.is_empty() {
                    return Ok(Look::Done(()));
                }
                for &node in &workers {
                    if let Some(lost) = self.lost(node) {
                        return Ok(lost);
                    }
                }
                Ok(Look::Missing(missing.join("; ")))
            })
    }

    /// A machine that has ended will not become ready.
    fn lost<T>(&self, node: &Node) -> Option<Look<T>> {
        if node.remote().is_some() || process::find(self.site.paths, &node.name).is_some() {
            return None;
        }
        let log = self.site.paths.node(&node.name).qemu_log();
        let said = super::wait::tail(&log).map_or(String::new(), |tail| format!("\n{tail}"));
        Some(Look::Lost(format!(
            "{}'s machine has ended{said}",
            node.name
        )))
    }

    fn wait<'w>(
        &'w self,
        what: &'w str,
        limit: Duration,
        nodes: &[&Node],
        limits: Limits,
    ) -> Wait<'w> {
        Wait {
            what,
            limit,
            pause: limits.pause(),
            interrupt: self.site.interrupt,
            logs: nodes
                .iter()
                .take(LOGS)
                .map(|node| self.site.paths.node(&node.name).serial_log())
                .collect(),
            hint: Some(match self.site.topology.remote() {
                Some(node) => format!(
                    "`systemctl --failed` on {} tells what does not run; `hardway bootstrap` waits on",
                    node.name
                ),
                None => format!(
                    "the consoles' logs are {}; `hardway up` waits on, `hardway down` stops the machines",
                    self.site.paths.state().join("nodes/*/serial.log").display()
                ),
            }),
        }
    }
}
