//! `hardway destroy`: remove the machines, their disks and the keys.

use std::process::ExitCode;

use anyhow::Result;

use super::Global;
use super::confirm::{self, Question};
use crate::cluster::destroy;
use crate::topology;

/// Remove every machine, disk and key; hosts/ and cluster.json stay
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

pub(super) fn run(global: &Global, args: &Args) -> Result<ExitCode> {
    let paths = topology::find(global.dir.as_deref())?;
    let targets = destroy::targets(&paths)?;
    if targets.is_empty() {
        println!("nothing to do: there is no {}", paths.state().display());
        return Ok(ExitCode::SUCCESS);
    }
    if !args.yes {
        confirm::confirm(&Question {
            title: "This removes, for good:",
            targets: &targets,
            goal: "to go on",
            hint: "say `hardway destroy --yes`",
        })?;
    }
    destroy::destroy(&paths)?;
    println!("removed {}", paths.state().display());
    Ok(ExitCode::SUCCESS)
}
