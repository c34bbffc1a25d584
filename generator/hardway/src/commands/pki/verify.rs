//! `hardway pki verify`: whether the certificates are as they should be.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::json;

use super::super::{Global, print};
use crate::ops::inspect;

use common::report::FAILED;
use model::plan;

/// Judge the certificates, keys and kubeconfigs: this host's, or with --node a running node's
///
/// Every chain, every key against its certificate, expiry, names against cluster.json, nobody
/// more powerful than planned, the key pair of service accounts, kubeconfigs, file modes.
/// On a node: its files against this host's, whom it trusts, expiry by its own clock, owners
/// and modes, and whether whoever reads a file has started since it came.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Fail where anything expires within so many days
    #[arg(long, value_name = "N", default_value_t = 30)]
    days: u32,
    /// Judge what is on this running node instead, asked of the node itself
    #[arg(long, value_name = "NODE")]
    node: Option<String>,
    /// Print the results as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(global: &Global, args: &Args) -> Result<ExitCode> {
    let (paths, topology) = global.cluster()?;
    let plan = plan::plan(&topology);
    let all = match &args.node {
        Some(node) => inspect::inspect(&paths, &topology, node, args.days)?,
        None => pki::judge(&plan, &paths, args.days, &pki::host_server(&topology))?,
    };
    let failed: Vec<_> = all.iter().filter(|one| !one.passed).collect();
    if args.json {
        print::json(&json!({ "passed": failed.is_empty(), "checks": all }))?;
    } else {
        let lines = all.iter().map(|one| {
            let verdict = if one.passed { "ok  " } else { "FAIL" };
            let detail = one.detail.join("\n      ");
            format!("{verdict}  {}: {detail}\n", one.check)
        });
        print::text(&lines.collect::<String>())?;
    }
    if failed.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let names: Vec<&str> = failed.iter().map(|one| one.check).collect();
    let mut remedies: Vec<&str> = failed
        .iter()
        .filter_map(|one| one.remedy.as_deref())
        .collect();
    remedies.dedup();
    eprintln!(
        "error: {} of {} checks failed: {}\nhint: {}",
        failed.len(),
        all.len(),
        names.join("; "),
        remedies.join("; ")
    );
    Ok(ExitCode::from(FAILED))
}
