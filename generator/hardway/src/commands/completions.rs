//! `hardway completions`: what a shell needs to complete hardway's words.

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::CommandFactory;
use clap_complete::Shell;

use super::{Cli, Global};

/// Print the completions of a shell, e.g. into ~/.local/share/bash-completion/completions/hardway
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn run(_global: &Global, args: &Args) -> Result<ExitCode> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "hardway", &mut text);
    std::io::stdout()
        .write_all(&text)
        .context("cannot print the completions")?;
    Ok(ExitCode::SUCCESS)
}
