//! `hardway events`: what has happened in the cluster and on its nodes.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;

use super::{Global, print};
use crate::ops::events;
use crate::ops::interrupt::Interrupt;
use common::report::{INTERRUPTED, Quiet};

/// Between two looks of `--watch`.
const PAUSE: Duration = Duration::from_secs(2);

/// Show the cluster's recent events and the nodes' failed units, newest last
///
/// The API server keeps an event for an hour. Units are asked of the machines themselves, so
/// they show also while the API server does not answer.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Show also what comes, until Ctrl-C
    #[arg(long, short)]
    watch: bool,
    /// The last so many events
    #[arg(long, short = 'n', value_name = "EVENTS", default_value_t = 50)]
    lines: usize,
    /// Print it as JSON; with --watch a line an event
    #[arg(long)]
    json: bool,
}

pub(super) fn run(global: &Global, args: &Args) -> Result<ExitCode> {
    let (paths, topology) = global.cluster()?;
    let interrupt = args.watch.then(Interrupt::install).transpose()?;
    let mut seen = BTreeSet::new();
    let mut unavailable = Vec::new();
    let mut first = true;
    loop {
        let mut found = events::events(&paths, &topology);
        let most = if first { args.lines } else { usize::MAX };
        found.events = events::fresh(found.events, &mut seen, most);
        match (args.json, args.watch) {
            (true, false) => print::json(&found)?,
            (true, true) => found.events.iter().try_for_each(print::json_line)?,
            (false, _) => {
                if first || !found.events.is_empty() {
                    print::text(&events::text(&found.events, first))?;
                }
            }
        }
        // Each reason once, and not between a program's lines.
        for reason in &found.unavailable {
            if !args.json && !unavailable.contains(reason) {
                eprintln!("{reason}");
            }
        }
        unavailable = found.unavailable;
        first = false;
        let Some(interrupt) = &interrupt else {
            return Ok(ExitCode::SUCCESS);
        };
        if interrupt.sleep(PAUSE).is_err() {
            return Err(Quiet(INTERRUPTED).into());
        }
    }
}
