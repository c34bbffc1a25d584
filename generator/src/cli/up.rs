//! `hardway up`: from cluster.json to a cluster whose nodes are Ready.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

use super::Global;
use super::install::Source;
use crate::cluster::up;
use crate::topology;

/// Install, start and wait until every node is Ready; safe to repeat
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    source: Source,
    /// Cilium's Helm chart on disk instead of its repository
    #[arg(long, value_name = "DIR")]
    chart: Option<PathBuf>,
}

pub(super) fn run(global: &Global, args: &Args) -> Result<ExitCode> {
    let paths = topology::find(global.dir.as_deref())?;
    let topology = topology::load(&paths)?;
    up::up(
        &paths,
        &topology,
        &args.source.options(),
        args.chart.as_deref(),
    )?;
    Ok(ExitCode::SUCCESS)
}
