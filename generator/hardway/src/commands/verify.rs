//! `hardway verify`: test the running cluster.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, anyhow};
use serde_json::json;

use super::Global;
use crate::ops::seconds;
use crate::ops::up::virtual_only;
use crate::ops::verify::{self, Outcome, Verdict};
use common::report::{FAILED, WithHint};
use common::state::Paths;
use model::topology::Topology;

/// Test the running cluster from end to end; leaves nothing behind
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print the results as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(global: &Global, args: &Args) -> Result<ExitCode> {
    let (paths, topology) = global.cluster()?;
    virtual_only(&topology)?;
    test(&paths, &topology, args.json)
}

/// Tests the cluster and prints each outcome as it comes, or all as JSON.
pub(super) fn test(paths: &Paths, topology: &Topology, json: bool) -> Result<ExitCode> {
    if !paths.kubeconfig().is_file() {
        return Err(anyhow!(
            "no cluster yet: there is no {}",
            paths.kubeconfig().display()
        ))
        .hint("run `hardway up`");
    }
    let outcomes = verify::verify(paths, topology, &mut |outcome| {
        if !json {
            println!("{}", line(outcome));
        }
    })?;
    let failed: Vec<&str> = outcomes
        .iter()
        .filter(|outcome| outcome.verdict == Verdict::Failed)
        .map(|outcome| outcome.check)
        .collect();
    if json {
        println!(
            "{:#}",
            json!({ "passed": failed.is_empty(), "checks": outcomes })
        );
    }
    if failed.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!(
        "error: {} of {} checks failed: {}",
        failed.len(),
        outcomes.len(),
        failed.join("; ")
    );
    Ok(ExitCode::from(FAILED))
}

/// e.g. `ok    every unit is active (3.1 s): 8 units on 3 nodes`.
pub(super) fn line(outcome: &Outcome) -> String {
    let verdict = match outcome.verdict {
        Verdict::Passed => "ok  ",
        Verdict::Failed => "FAIL",
        Verdict::Warning => "warn",
        Verdict::Skipped => "skip",
    };
    let time = seconds(Duration::from_secs_f64(outcome.seconds));
    let detail = outcome.detail.replace('\n', "\n      ");
    format!("{verdict}  {} ({time}): {detail}", outcome.check)
}
