//! `hardway lint`: are the nodes' flags and fields those of the pinned programs?

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, anyhow};
use serde_json::json;

use super::Global;
use crate::ops::tools;
use crate::render;
use common::report::{FAILED, WithHint};
use model::lint::{self, Asked, Severity};
use model::plan::plan;
use model::tables::Tables;

/// Check every flag and configuration field of the nodes against the pinned programs
///
/// Reads what `generate` would write (the plan), and hosts/<node>/default.nix as it is on disk
/// where nix-instantiate is on PATH. Modules of your own are not read: they need nixpkgs.
/// An unknown flag or field, or a value of another type, is an error; a deprecated one a warning.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Ask the programs in DIR too, each with a node's own command line and --help
    #[arg(long, value_name = "DIR")]
    against: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(global: &Global, args: &Args) -> Result<ExitCode> {
    let (paths, topology) = global.cluster()?;
    let plan = plan(&topology);
    let tables = Tables::of(&topology.kubernetes_version)?;

    let nix = tools::find("nix-instantiate", "it reads hosts/ as written");
    let written = match &nix {
        Ok(nix) => Some(render::written(
            nix,
            &paths.hosts(),
            topology.nodes.iter().map(|node| node.name.as_str()),
        )?),
        Err(_) => None,
    };
    let mut emitted = lint::planned(&plan);
    if let Some(written) = &written {
        // What is on disk as it was planned is not looked at twice.
        let other: Vec<_> = written
            .emitted()
            .into_iter()
            .filter(|one| !emitted.contains(one))
            .collect();
        emitted.extend(other);
    }
    let mut judgement = lint::judge(tables, emitted.iter().copied())?;
    let asked = match &args.against {
        Some(dir) => {
            let asked = lint::ask(dir, emitted.iter().copied())?;
            if asked.asked.is_empty() {
                return Err(anyhow!("{} has none of {}", dir.display(), words(&asked.missing)))
                    .hint("give the folder that holds the programs themselves, e.g. /run/current-system/sw/bin");
            }
            asked
        }
        None => Asked::default(),
    };
    // What a program says in the table's very words is said once.
    judgement.findings = lint::merged(judgement.findings.into_iter().chain(asked.findings));
    let count = |severity| {
        judgement
            .findings
            .iter()
            .filter(|one| one.severity == severity)
            .count()
    };
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));

    if args.json {
        let report = json!({
            "versions": tables.versions,
            "nodes": judgement.nodes,
            "flags": judgement.flags,
            "fields": judgement.fields,
            "hostsRead": written.is_some(),
            "asked": asked.asked,
            "missing": asked.missing,
            "errors": errors,
            "warnings": warnings,
            "findings": judgement.findings,
        });
        println!("{report:#}");
    } else {
        for finding in &judgement.findings {
            println!("{finding}");
        }
        if written.is_none() {
            println!("not read: hosts/ as written (nix-instantiate is not installed)");
        }
        if let Some(dir) = &args.against {
            println!("asked in {}: {}", dir.display(), words(&asked.asked));
            if !asked.missing.is_empty() {
                println!(
                    "not there, and not asked: {} ({})",
                    words(&asked.missing),
                    asked.missing.len()
                );
            }
        }
        let versions = &tables.versions;
        println!(
            "{} flags and {} fields of {} nodes against Kubernetes {}, etcd {}, containerd {}: {errors} errors, {warnings} warnings",
            judgement.flags,
            judgement.fields,
            judgement.nodes.len(),
            versions.kubernetes,
            versions.etcd,
            versions.containerd,
        );
    }
    Ok(if errors > 0 {
        ExitCode::from(FAILED)
    } else {
        ExitCode::SUCCESS
    })
}

fn words(names: &std::collections::BTreeSet<String>) -> String {
    names
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ")
}
