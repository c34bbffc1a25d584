//! `hardway generate`: cluster.json → hosts/ (committed) and the PKI (state).

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::Result;
use serde_json::json;

use super::Global;
use crate::ops::generate::{self, Written};
use crate::ops::snapshot;
use crate::render::{self, Change};
use common::report::FAILED;
use model::plan::plan;

/// Write hosts/ and the certificates from cluster.json
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Write nothing; exit 1 with a diff when a committed file is out of date
    #[arg(long, conflicts_with = "dry_run")]
    check: bool,
    /// Write nothing; list what would change below hosts/
    #[arg(long)]
    dry_run: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(global: &Global, args: &Args) -> Result<ExitCode> {
    let (paths, topology) = global.cluster()?;
    let plan = plan(&topology);
    let write = !args.check && !args.dry_run;
    let written = if write {
        snapshot::finish_restore(&paths)?;
        generate::write(&topology, &plan, &paths)?
    } else {
        let files = generate::files(&topology, &plan, &paths)?;
        Written {
            files: render::compare(&files, &paths.hosts())?,
            issued: Vec::new(),
            reasons: BTreeMap::new(),
            notes: Vec::new(),
            total: files.len(),
        }
    };

    for note in written.notes().filter(|_| !args.json) {
        eprintln!("{note}");
    }
    if args.json {
        let report = json!({
            "upToDate": written.files.is_empty(),
            "written": write,
            "total": written.total,
            "files": written.files,
            "issued": written.issued,
            "reasons": written.reasons,
            "notes": written.notes,
        });
        println!("{report:#}");
    } else if args.check {
        for outcome in &written.files {
            print!("{}", outcome.diff);
        }
    } else {
        print_changes(&written);
    }
    if args.check && !written.files.is_empty() {
        eprintln!(
            "error: below hosts/ {} of {} files are out of date\nhint: run `hardway generate` and commit what it writes",
            written.files.len(),
            written.total,
        );
        return Ok(ExitCode::from(FAILED));
    }
    Ok(ExitCode::SUCCESS)
}

fn print_changes(written: &Written) {
    for outcome in &written.files {
        println!("{} hosts/{}", outcome.change, outcome.path.display());
    }
    for name in &written.issued {
        println!("issue {name}");
    }
    if written.files.is_empty() && written.issued.is_empty() {
        println!(
            "nothing to do: all {} files of hosts/ are up to date",
            written.total
        );
    }
    // A removed node's folder is worth a second look before it is committed.
    if written
        .files
        .iter()
        .any(|outcome| outcome.change == Change::Remove)
    {
        println!("removed files were generated once and no longer belong to cluster.json");
    }
}
