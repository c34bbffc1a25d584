//! `hardway medium`: the live medium on this machine, before it is needed.

use std::process::ExitCode;

use anyhow::{Context, Result};

use super::Global;
use crate::ops::install::Options;
use crate::ops::medium;
use model::topology;
use qemu::Arch;

/// Download the live medium that nodes are installed from, and print where it is
///
/// It is NixOS' minimal ISO, checked against its published SHA-256. Which one is written into
/// medium.lock.json beside cluster.json: commit that, and a colleague gets the same bytes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The guests' architecture [default: the installed machines', or else this host's]
    #[arg(long, value_enum)]
    arch: Option<Arch>,
    /// A mirror of the channel
    #[arg(long, value_name = "URL", env = "HARDWAY_CHANNEL")]
    channel: Option<String>,
    /// Take the channel's latest, and write that into medium.lock.json
    #[arg(long)]
    update: bool,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(global: &Global, args: &Args) -> Result<ExitCode> {
    let paths = topology::find(global.dir.as_deref())?;
    let options = Options {
        arch: args.arch,
        channel: args.channel.clone(),
        ..Options::default()
    };
    let found = medium::fetch(&paths, &options, args.update)?;
    if args.json {
        let text = serde_json::to_string_pretty(&found).context("cannot write JSON")?;
        println!("{text}");
    } else {
        println!("{}", found.path.display());
    }
    Ok(ExitCode::SUCCESS)
}
