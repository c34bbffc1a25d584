//! `hardway console`: a machine's serial console.

use std::process::ExitCode;

use anyhow::Result;

use super::Global;
use crate::ops::console;

/// Attach the terminal to a machine's serial console; Ctrl-] leaves
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[arg(value_name = "NODE")]
    node: String,
}

pub(super) fn run(global: &Global, args: &Args) -> Result<ExitCode> {
    let (paths, topology) = global.cluster()?;
    console::attach(&paths, &topology, &args.node)?;
    Ok(ExitCode::SUCCESS)
}
