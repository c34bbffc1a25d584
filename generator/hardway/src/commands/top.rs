//! `hardway top`: what the machines take.

use std::process::ExitCode;

use anyhow::Result;

use super::{Global, print};
use crate::ops::{top, up};

/// Show what each machine takes of the host, and its guest's load and memory
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(global: &Global, args: &Args) -> Result<ExitCode> {
    let (paths, topology) = global.cluster()?;
    up::virtual_only(&topology)?;
    let machines = top::top(&paths, &topology);
    if args.json {
        print::json(&machines)?;
    } else {
        print::text(&top::text(&machines))?;
    }
    Ok(ExitCode::SUCCESS)
}
