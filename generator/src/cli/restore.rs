//! `hardway restore`, also `hardway snapshot restore`: back to a snapshot.

use std::process::ExitCode;

use anyhow::Result;

use super::Global;
use crate::cluster::seconds;
use crate::cluster::snapshot::{self, Kind, Name};
use crate::report::FAILED;
use crate::topology;

/// Bring every machine back to a snapshot; what happened since is lost
///
/// Machines that are off are started for a snapshot of running ones. Where one machine
/// fails, all become again what they were before.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    name: Name,
    /// Bring the host's keys, certificates and kubeconfig of that time back too
    #[arg(long)]
    with_pki: bool,
    /// Come back once the machines go on: do not wait until every node is Ready
    #[arg(long)]
    no_wait: bool,
}

pub(super) fn run(global: &Global, args: &Args) -> Result<ExitCode> {
    to(global, &args.name, args.with_pki, !args.no_wait)
}

pub(super) fn to(global: &Global, name: &Name, with_pki: bool, wait: bool) -> Result<ExitCode> {
    let paths = topology::find(global.dir.as_deref())?;
    let topology = topology::load(&paths)?;
    let restored = snapshot::restore(&paths, &topology, name, with_pki, wait)?;
    match restored.kind {
        Kind::Running => println!(
            "restored {name}: the machines were back after {}{}",
            seconds(restored.took),
            if wait && restored.expired.is_empty() {
                ", every node is Ready"
            } else {
                ""
            }
        ),
        Kind::Cold => println!("restored {name}: `hardway up` starts the machines"),
    }
    if let Some(warning) = restored.warning(name) {
        eprintln!("{warning}");
        return Ok(ExitCode::from(FAILED));
    }
    Ok(ExitCode::SUCCESS)
}
