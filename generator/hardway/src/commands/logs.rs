//! `hardway logs`: what a node's components have written to its journal.

use std::process::ExitCode;

use anyhow::Result;

use super::{Global, print};
use crate::ops::logs::{self, Query};

/// Show what a node's components have logged, through the guest agent
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[arg(value_name = "NODE")]
    node: String,
    /// One component, e.g. kubelet [default: all of the node's]
    #[arg(value_name = "UNIT")]
    unit: Option<String>,
    /// Show also what comes, until Ctrl-C
    #[arg(long, short)]
    follow: bool,
    /// The last so many entries
    #[arg(long, short = 'n', value_name = "LINES", default_value_t = 100)]
    lines: u32,
    /// Print journalctl's JSON, a line an entry
    #[arg(long)]
    json: bool,
}

pub(super) fn run(global: &Global, args: &Args) -> Result<ExitCode> {
    let (paths, topology) = global.cluster()?;
    let query = Query {
        node: args.node.clone(),
        unit: args.unit.clone(),
        lines: args.lines,
        json: args.json,
    };
    logs::logs(&paths, &topology, &query, args.follow, print::raw)?;
    Ok(ExitCode::SUCCESS)
}
