//! `hardway status`: machines, units, Nodes and addons at a glance.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;

use super::{Global, print};
use crate::ops::interrupt::Interrupt;
use crate::ops::status::{self, Status};
use common::report::{INTERRUPTED, Quiet};

/// Between two looks of `--watch`.
const PAUSE: Duration = Duration::from_secs(2);

/// Home, and nothing below it.
const CLEAR: &str = "\u{1b}[H\u{1b}[2J";

/// Show each machine, its units, its Node and the addons, and what to do about what is wrong
///
/// A guest's clock that is more than 5 s behind, as after the host has slept, is set right.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Look again every 2 s, until Ctrl-C
    #[arg(long, short)]
    watch: bool,
    /// Print it as JSON; with --watch a line each time
    #[arg(long)]
    json: bool,
}

pub(super) fn run(global: &Global, args: &Args) -> Result<ExitCode> {
    let (paths, topology) = global.cluster()?;
    if !args.watch {
        let status = status::status(&paths, &topology);
        if args.json {
            print::json(&status)?;
        } else {
            print::text(&words(&status))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let interrupt = Interrupt::install()?;
    let terminal = std::io::stdout().is_terminal();
    let mut again = "";
    loop {
        let status = status::status(&paths, &topology);
        if args.json {
            print::json_line(&status)?;
        } else if terminal {
            print::raw(CLEAR)?;
            print::text(&words(&status))?;
        } else {
            print::text(&format!("{again}{}", words(&status)))?;
            again = "---\n";
        }
        if interrupt.sleep(PAUSE).is_err() {
            return Err(Quiet(INTERRUPTED).into());
        }
    }
}

fn words(status: &Status) -> String {
    if status.exists() {
        return status::text(status);
    }
    format!(
        "{}: no cluster yet; `hardway up` makes one\n",
        status.cluster
    )
}
