//! `hardway doctor`: what this host has, lacks, and how to mend it.

use std::process::ExitCode;

use anyhow::Result;

use super::{Global, print};
use crate::ops::doctor::{self, Verdict};
use common::report::FAILED;

/// Check this host: programs, accelerator, memory, disk, ports, clocks; exit code 1 if `up` would fail
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(global: &Global, args: &Args) -> Result<ExitCode> {
    let (paths, topology) = global.cluster()?;
    let checks = doctor::doctor(&paths, &topology);
    if args.json {
        print::json(&checks)?;
    } else {
        print::text(&doctor::text(&checks))?;
    }
    let fails = checks.iter().any(|check| check.verdict == Verdict::Failure);
    Ok(ExitCode::from(if fails { FAILED } else { 0 }))
}
