//! `hardway pki show`: which certificates there are, and who uses each.

use std::process::ExitCode;

use anyhow::Result;

use super::super::{Global, print};

use model::plan;

/// Every authority and what it signed: for whom, for what, until when, and who uses it
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// One certificate, with all that there is to say of it
    name: Option<String>,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(global: &Global, args: &Args) -> Result<ExitCode> {
    let (paths, topology) = global.cluster()?;
    let all = pki::show(&plan::plan(&topology), &paths, args.name.as_deref())?;
    match (args.json, &all[..]) {
        (true, _) => print::json(&all)?,
        (false, [one]) => print::text(&one.text())?,
        (false, _) => print::text(&pki::tree(&all))?,
    }
    Ok(ExitCode::SUCCESS)
}
