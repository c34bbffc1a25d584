//! `hardway up`: from cluster.json to a cluster whose nodes are Ready.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

use super::install::Source;
use super::{Global, init, restore, verify};
use crate::cluster::capture;
use crate::cluster::snapshot::Name;
use crate::cluster::up::{self, Wishes};
use crate::topology;

/// Install, start and wait until every node is Ready; safe to repeat
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    source: Source,
    /// Begin with this snapshot, whatever runs now: what happened since it is lost
    #[arg(long, value_name = "NAME", conflicts_with = "init")]
    from: Option<Name>,
    /// In an empty folder, begin with the default cluster, as `hardway init` does
    #[arg(long)]
    init: bool,
    /// Test the cluster when it is up, as `hardway verify` does
    #[arg(long)]
    verify: bool,
    /// After an installation, save no snapshot `fresh` for `hardway reset`
    #[arg(long)]
    no_snapshot: bool,
    /// Cilium's Helm chart on disk instead of its repository
    #[arg(long, value_name = "DIR")]
    chart: Option<PathBuf>,
    /// Capture what NODE sends and receives on the nodes' network into FILE, for Wireshark
    /// or tcpdump; for as long as its machine runs (again for another node)
    #[arg(long, num_args = 2, value_names = ["NODE", "FILE"])]
    pcap: Vec<String>,
}

pub(super) fn run(global: &Global, args: &Args) -> Result<ExitCode> {
    if args.init {
        init::begin(global)?;
    }
    let paths = topology::find(global.dir.as_deref())?;
    let topology = topology::load(&paths)?;
    let wishes = Wishes {
        source: args.source.options(),
        chart: args.chart.clone(),
        snapshot: !args.no_snapshot,
        captures: capture::captures(&topology, &args.pcap)?,
    };
    if let Some(name) = &args.from {
        // Of running machines: `up` finds little to do. Of machines that were off: it starts them.
        restore::to(global, name, false, true)?;
    }
    up::up(&paths, &topology, &wishes)?;
    if args.verify {
        return verify::test(&paths, &topology, false);
    }
    Ok(ExitCode::SUCCESS)
}
