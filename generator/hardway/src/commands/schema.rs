//! `hardway schema`: the JSON Schema of cluster.json, for editors and people.

use std::process::ExitCode;

use anyhow::Result;

use super::Global;
use model::topology;

/// Print the JSON Schema of cluster.json
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn run(_global: &Global, _args: &Args) -> Result<ExitCode> {
    print!("{}", topology::default_schema());
    Ok(ExitCode::SUCCESS)
}
