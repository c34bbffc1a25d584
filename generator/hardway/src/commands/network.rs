//! `hardway network`: who reaches whom in this cluster, and how.

use std::process::ExitCode;

use anyhow::Result;

use super::{Global, print};
use crate::ops::mermaid;
use crate::ops::network::{Network, text};
use model::plan::plan;
use model::topology;

/// Show the addresses, the forwarded ports, and who reaches whom and how
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print it as JSON
    #[arg(long)]
    json: bool,
    /// Print a picture of the cluster for Mermaid, which GitHub draws in Markdown
    #[arg(long, conflicts_with = "json")]
    mermaid: bool,
}

pub(super) fn run(global: &Global, args: &Args) -> Result<ExitCode> {
    let paths = topology::find(global.dir.as_deref())?;
    let topology = topology::load(&paths)?;
    let network = Network::of(&topology);
    if args.mermaid {
        print::text(&mermaid::picture(&network, &plan(&topology)))?;
    } else if args.json {
        print::json(&network)?;
    } else {
        print::text(&text(&network))?;
    }
    Ok(ExitCode::SUCCESS)
}
