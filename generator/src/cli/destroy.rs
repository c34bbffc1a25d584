//! `hardway destroy`: remove the machines, their disks and the keys.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow};

use super::Global;
use crate::cluster::destroy;
use crate::report::{Code, USAGE, WithHint};
use crate::topology;

/// Remove every machine, disk and key; hosts/ and cluster.json stay
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

pub(super) fn run(global: &Global, args: &Args) -> Result<ExitCode> {
    let paths = topology::find(global.dir.as_deref())?;
    let targets = destroy::targets(&paths)?;
    if targets.is_empty() {
        println!("nothing to do: there is no {}", paths.state().display());
        return Ok(ExitCode::SUCCESS);
    }
    if !args.yes {
        confirm(&targets)?;
    }
    destroy::destroy(&paths)?;
    println!("removed {}", paths.state().display());
    Ok(ExitCode::SUCCESS)
}

fn confirm(targets: &[String]) -> Result<()> {
    eprintln!("This removes, for good:");
    for target in targets {
        eprintln!("  {target}");
    }
    if !std::io::stdin().is_terminal() {
        return Err(anyhow!("nobody is there to confirm it").context(Code(USAGE)))
            .hint("say `hardway destroy --yes`");
    }
    eprint!("Type yes to go on: ");
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    std::io::stdin()
        .read_line(&mut answer)
        .context("cannot read the answer")?;
    if answer.trim() != "yes" {
        return Err(anyhow!("not confirmed: nothing was removed"));
    }
    Ok(())
}
