//! `hardway down`: shut the machines down; disks and keys stay.

use std::process::ExitCode;

use anyhow::Result;

use super::Global;
use crate::cluster::down;
use crate::topology;

/// Shut every machine down; `hardway up` starts them again
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn run(global: &Global, _args: &Args) -> Result<ExitCode> {
    let paths = topology::find(global.dir.as_deref())?;
    let stopped = down::down(&paths)?;
    if stopped.is_empty() {
        println!("nothing to do: no machine runs");
    }
    for machine in stopped {
        let how = if machine.forced {
            "did not shut down in time and was stopped by force"
        } else {
            "is down"
        };
        println!("{} {how}", machine.node);
    }
    Ok(ExitCode::SUCCESS)
}
