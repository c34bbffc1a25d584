//! `hardway apply`: bring running machines to what is generated now.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use serde_json::json;

use super::{Global, print, verify};
use crate::ops::apply::{self, Change, Listener, Wishes};
use crate::ops::seconds;
use crate::ops::verify::Outcome;

/// Bring running machines to what is generated now, one after the other
///
/// Shows what differs, sends it, runs `nixos-rebuild switch` there, which restarts only the
/// units that changed, waits until the node is well, and tests the cluster at the end. Where
/// any of it fails, every node goes back to what it ran before.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The nodes to bring there [default: all]
    #[arg(value_name = "NODE")]
    nodes: Vec<String>,
    /// Change nothing; show what differs, and which units a switch would touch
    #[arg(long)]
    dry_run: bool,
    /// Do not test the cluster at the end
    #[arg(long)]
    no_verify: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Tells people at once, and programs at the end.
pub(super) struct Told {
    json: bool,
    pub(super) checks: Vec<Outcome>,
}

impl Listener for Told {
    fn differs(&mut self, change: &Change) {
        self.say(&change.text());
    }

    fn done(&mut self, change: &Change) {
        self.say(&change.done());
    }

    fn tested(&mut self, outcome: &Outcome) {
        self.say(&format!("{}\n", verify::line(outcome)));
        self.checks.push(outcome.clone());
    }
}

impl Told {
    pub(super) fn new(json: bool) -> Self {
        Self {
            json,
            checks: Vec::new(),
        }
    }

    /// A reader who has left is no reason to stop half-way.
    pub(super) fn say(&self, text: &str) {
        if !self.json {
            let _ = print::text(text);
        }
    }
}

pub(super) fn run(global: &Global, args: &Args) -> Result<ExitCode> {
    let (paths, topology) = global.cluster()?;
    let start = Instant::now();
    let wishes = Wishes {
        dry_run: args.dry_run,
        verify: !args.no_verify,
    };
    let mut told = Told::new(args.json);
    let changes = apply::apply(&paths, &topology, &args.nodes, wishes, &mut told)?;
    let changed: Vec<&str> = changes
        .iter()
        .filter(|change| !change.is_empty())
        .map(|change| change.node.as_str())
        .collect();
    let (pending, current): (Vec<&Change>, Vec<&Change>) =
        changes.iter().partition(|change| change.boot_pending);
    if args.json {
        print::json(&json!({
            "dryRun": args.dry_run,
            "upToDate": changed.is_empty() && pending.is_empty(),
            "nodes": changes,
            "checks": told.checks,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    if changed.is_empty() && !current.is_empty() {
        let names: Vec<&str> = current.iter().map(|change| change.node.as_str()).collect();
        print::text(&format!(
            "nothing to do: {} run what is generated now\n",
            names.join(", ")
        ))?;
    } else if !changed.is_empty() && !args.dry_run {
        print::text(&format!(
            "applied to {} in {}\n",
            changed.join(", "),
            seconds(start.elapsed())
        ))?;
    }
    for change in pending {
        print::text(&format!(
            "{}: a configuration waits for the next boot; restart the machines with \
             `hardway down && hardway up`\n",
            change.node
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}
