//! `hardway up`: from cluster.json to a cluster whose nodes are Ready.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

use super::install::Source;
use super::{Global, confirm, init, print, restore, verify};
use crate::cluster::snapshot::Name;
use crate::cluster::up::{self, Wishes};
use crate::cluster::{capture, members, shrink};
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
    /// Remove nodes that cluster.json no longer has without asking
    #[arg(long)]
    yes: bool,
    /// Only say what would be done with which machine
    #[arg(long, conflicts_with_all = ["init", "from"])]
    dry_run: bool,
}

pub(super) fn run(global: &Global, args: &Args) -> Result<ExitCode> {
    if args.init {
        init::begin(global)?;
    }
    let paths = topology::find(global.dir.as_deref())?;
    let topology = topology::load(&paths)?;
    up::virtual_only(&topology)?;
    let changes = members::changes(&paths, &topology)?;
    if args.dry_run {
        print::text(&changes.text())?;
        return Ok(ExitCode::SUCCESS);
    }
    let captures = capture::captures(&topology, &args.pcap)?;
    if !changes.leave.is_empty() && !args.yes {
        let names = members::listed(&changes.leave);
        confirm::confirm(&confirm::Question {
            title: &format!("cluster.json no longer has {names}. `up` removes, for good:"),
            targets: &shrink::targets(&paths, &changes.leave)?,
            goal: &format!("to remove {names}"),
            hint: &format!("say `hardway up --yes`, or put {names} into cluster.json again"),
        })?;
    }
    let wishes = Wishes {
        source: args.source.options(),
        chart: args.chart.clone(),
        snapshot: !args.no_snapshot,
        captures,
        leaving: changes.leave,
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
