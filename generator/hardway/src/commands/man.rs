//! `hardway man`: the manual pages, made from the same words as `--help`.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::CommandFactory;

use super::{Cli, Global};
use common::report::WithHint;

/// Write the manual pages, one a verb: hardway.1, hardway-up.1 and so on
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The folder; made if it is not there
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

pub(super) fn run(_global: &Global, args: &Args) -> Result<ExitCode> {
    let dir = &args.folder;
    let shown = dir.display();
    fs::create_dir_all(dir)
        .with_context(|| format!("cannot make the folder {shown}"))
        .hint("name a folder that you may write to: hardway man DIR")?;
    clap_mangen::generate_to(Cli::command(), dir)
        .with_context(|| format!("cannot write the manual pages into {shown}"))
        .hint("check that the folder can be written to")?;
    println!("write {shown}/hardway*.1");
    Ok(ExitCode::SUCCESS)
}
