//! `hardway install`: one node or several, from scratch, all at once.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

use super::Global;
use crate::cluster::install::{self, Options};
use crate::cluster::seconds;
use crate::machine::Arch;
use crate::topology;

/// Install nodes from a live medium; what their disks hold is lost
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The nodes to install, by name
    #[arg(value_name = "NODE", required = true)]
    nodes: Vec<String>,
    #[command(flatten)]
    source: Source,
}

/// What machines are installed from, and run on.
#[derive(Debug, clap::Args)]
pub(super) struct Source {
    /// NixOS' minimal ISO, or another live medium of its shape
    #[arg(long, value_name = "PATH", env = "HARDWAY_ISO")]
    iso: Option<PathBuf>,
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
            qemu: self.qemu.clone(),
            arch: self.arch,
            offline: self.offline,
        }
    }
}

pub(super) fn run(global: &Global, args: &Args) -> Result<ExitCode> {
    let paths = topology::find(global.dir.as_deref())?;
    let topology = topology::load(&paths)?;
    let took = install::install_named(&paths, &topology, &args.nodes, &args.source.options())?;
    println!("installed {} in {}", args.nodes.join(", "), seconds(took));
    Ok(ExitCode::SUCCESS)
}
