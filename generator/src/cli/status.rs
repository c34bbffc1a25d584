//! `hardway status`: machines, API server and nodes at a glance.

use std::process::ExitCode;

use anyhow::{Context, Result};

use super::Global;
use crate::cluster::status;
use crate::topology;

/// Show each machine and node
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(global: &Global, args: &Args) -> Result<ExitCode> {
    let paths = topology::find(global.dir.as_deref())?;
    let topology = topology::load(&paths)?;
    let status = status::status(&paths, &topology);
    if args.json {
        let text = serde_json::to_string_pretty(&status).context("cannot write JSON")?;
        println!("{text}");
    } else if status.exists() {
        print!("{}", status::table(&status));
    } else {
        println!("{}: no cluster yet; `hardway up` makes one", status.cluster);
    }
    Ok(ExitCode::SUCCESS)
}
