//! `hardway install`: one node or several, from scratch, all at once.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use serde_json::json;

use super::Global;
use super::fit::{Demand, Fit};
use super::manners::Manners;
use crate::deploy::media::Iso;
use crate::ops::install::{self, Options};
use crate::ops::seconds;
use qemu::Arch;

/// Install nodes from a live medium; what their disks hold is lost
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The nodes to install, by name
    #[arg(value_name = "NODE", required = true)]
    nodes: Vec<String>,
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    fit: Fit,
    #[command(flatten)]
    manners: Manners,
}

/// What machines are installed from, and run on.
#[derive(Debug, clap::Args)]
pub(super) struct Source {
    /// A live medium of the shape of NixOS', or `flake`: the installer configuration of the
    /// flake in the cluster's folder [default: NixOS' own, downloaded once; see `hardway medium`]
    #[arg(long, value_name = "PATH|flake", env = "HARDWAY_ISO")]
    iso: Option<Iso>,
    /// A mirror of the channel that the medium is downloaded from
    #[arg(long, value_name = "URL", env = "HARDWAY_CHANNEL")]
    channel: Option<String>,
    /// Another QEMU than the first on the PATH
    #[arg(long, value_name = "PATH")]
    qemu: Option<PathBuf>,
    /// The guests' architecture, pinned by the first run [default: the medium's]
    #[arg(long, value_enum)]
    arch: Option<Arch>,
    /// Check no network: the medium holds all the packages
    #[arg(long)]
    offline: bool,
}

impl Source {
    pub(super) fn options(&self) -> Options {
        Options {
            iso: self.iso.clone(),
            channel: self.channel.clone(),
            qemu: self.qemu.clone(),
            arch: self.arch,
            offline: self.offline,
        }
    }
}

pub(super) fn run(global: &Global, args: &Args) -> Result<ExitCode> {
    let (paths, mut topology) = global.cluster()?;
    let (manners, options) = (args.manners, args.source.options());
    let goal = format!("install {} anew", args.nodes.join(", "));
    let command = install::command(&args.nodes);
    let named = install::named(&topology, &args.nodes)?;
    let demand = Demand {
        install: &named,
        start: &[],
        command: &command,
        ask: !manners.yes,
    };
    let look = || match manners.look.dry_run {
        true => {
            let (topology, sizes) = args.fit.would_fit(&paths, topology.clone(), &demand)?;
            let mut would = install::look(&paths, &topology, &args.nodes, &options)?;
            would.first(sizes);
            Ok(would)
        }
        false => install::lost(&paths, &topology, &args.nodes),
    };
    if manners.goes_on("", &goal, &command, look)? {
        topology = args.fit.fitted(&paths, topology, &demand)?;
        let took = install::install_named(&paths, &topology, &args.nodes, &options)?;
        let text = format!("installed {} in {}\n", args.nodes.join(", "), seconds(took));
        let value = json!({ "installed": args.nodes, "seconds": took.as_secs_f64() });
        manners.look.tell(&text, value)?;
    }
    Ok(ExitCode::SUCCESS)
}
