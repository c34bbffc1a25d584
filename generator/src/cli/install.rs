//! `hardway install`: one node or several, from scratch, all at once.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, anyhow};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::Global;
use crate::generate;
use crate::machine::install::install;
use crate::machine::{Arch, Host, HostOptions, Medium, process};
use crate::plan::plan;
use crate::report::{self, WithHint};
use crate::state::Paths;
use crate::topology::{self, Node, Topology};

/// Install nodes from a live medium; what their disks hold is lost
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The nodes to install, by name
    #[arg(value_name = "NODE", required = true)]
    nodes: Vec<String>,
    /// NixOS' minimal ISO, or another live medium of its shape
    #[arg(long, value_name = "PATH", env = "HARDWAY_ISO")]
    iso: PathBuf,
    /// Another QEMU than the first on the PATH
    #[arg(long, value_name = "PATH")]
    qemu: Option<PathBuf>,
    /// The guests' architecture, pinned by the first run [default: the medium's]
    #[arg(long, value_enum)]
    arch: Option<Arch>,
    /// Check no network: the medium holds all the packages
    #[arg(long)]
    offline: bool,
}

pub(super) fn run(global: &Global, args: &Args) -> Result<ExitCode> {
    let paths = topology::find(global.dir.as_deref())?;
    let topology = topology::load(&paths)?;
    let nodes = chosen(&topology, &args.nodes)?;
    refuse_running(&paths, &nodes)?;
    let plan = plan(&topology);
    generate::write(&topology, &plan, &paths)?;
    let mut medium = Medium::open(&args.iso)?;
    medium.self_contained |= args.offline;
    let host = Host::detect(
        &paths,
        &HostOptions {
            qemu: args.qemu.clone(),
            arch: args.arch.or(Some(medium.arch)),
            kernel: Some(medium.kernel.clone()),
        },
    )?;

    let cancelled = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&cancelled))
            .context("cannot take over Ctrl-C")?;
    }
    let start = Instant::now();
    let seconds = || start.elapsed().as_secs();
    let failures: Vec<anyhow::Error> = thread::scope(|scope| {
        let threads: Vec<_> = nodes
            .iter()
            .map(|&node| {
                let (paths, topology, plan) = (&paths, &topology, &plan);
                let (host, medium, cancelled) = (&host, &medium, &*cancelled);
                scope.spawn(move || {
                    let on_stage =
                        |stage: &str| eprintln!("{:>4} s {}: {stage}", seconds(), node.name);
                    install(
                        host, paths, topology, plan, node, medium, &on_stage, cancelled,
                    )
                })
            })
            .collect();
        threads
            .into_iter()
            .filter_map(|thread| {
                let ended = thread.join();
                ended
                    .unwrap_or_else(|_| Err(anyhow!("an installation broke off")))
                    .err()
            })
            .collect()
    });
    for failure in &failures {
        eprint!("{}", report::render(failure));
    }
    match failures.first() {
        Some(first) => Ok(report::exit_code(first)),
        None => {
            println!("installed {} in {} s", args.nodes.join(", "), seconds());
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn chosen<'a>(topology: &'a Topology, names: &[String]) -> Result<Vec<&'a Node>> {
    let mut nodes = Vec::new();
    for name in names {
        let node = topology
            .node(name)
            .ok_or_else(|| anyhow!("cluster.json has no node {name:?}"))
            .hint(format!(
                "its nodes are {}",
                topology
                    .nodes
                    .iter()
                    .map(|node| node.name.as_str())
                    .collect::<Vec<_>>()
                    .join(", ")
            ))?;
        if !nodes.contains(&node) {
            nodes.push(node);
        }
    }
    Ok(nodes)
}

/// An installation takes the disk from under the machine.
fn refuse_running(paths: &Paths, nodes: &[&Node]) -> Result<()> {
    for node in nodes {
        if process::find(paths, &node.name).is_some() {
            return Err(anyhow!("{} is running", node.name)).hint("stop it first: hardway down");
        }
    }
    Ok(())
}
