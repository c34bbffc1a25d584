//! `hardway snapshot`: the whole cluster as it was at a moment, to go back to.

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use serde_json::json;

use super::manners::{Look, Manners};
use super::{Global, print, restore};
use crate::ops::seconds;
use crate::ops::snapshot::{self, Name, Record, STALL};

/// Save the whole cluster, go back to it, list, show, delete
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Save every machine as it is now: running ones with their memory. How long it takes depends on
    /// the memory and the disk
    Save {
        /// Letters, digits, `-`, `_` and `.`, at most 64
        name: Name,
        /// What for
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
        /// Of machines that are off: disks alone, which another QEMU can start too
        #[arg(long)]
        cold: bool,
        #[command(flatten)]
        look: Look,
    },
    Restore(restore::Args),
    /// Every snapshot, the oldest first
    List {
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
    /// What a snapshot is of, and whether it fits the cluster as it is now
    Show {
        name: Name,
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove a snapshot from every machine
    Delete {
        name: Name,
        #[command(flatten)]
        manners: Manners,
    },
}

pub(super) fn run(global: &Global, args: &Args) -> Result<ExitCode> {
    if let Action::Restore(args) = &args.action {
        return restore::run(global, args);
    }
    let (paths, topology) = global.cluster()?;
    match &args.action {
        Action::Save {
            name,
            description,
            cold,
            look,
        } => {
            if !look.goes_on("", || snapshot::look_save(&paths, &topology, name, *cold))? {
                return Ok(ExitCode::SUCCESS);
            }
            let saved = snapshot::save(
                &paths,
                &topology,
                name,
                description.as_deref(),
                *cold,
                STALL,
            )?;
            let count = saved.record.cluster.generation.len();
            let text = match saved.paused {
                Some(paused) => format!(
                    "saved {name}: {count} machines stood still for {}\n",
                    seconds(paused)
                ),
                None => format!("saved {name}: the disks of {count} machines\n"),
            };
            look.tell(
                &text,
                json!({
                    "saved": saved.record,
                    "pausedSeconds": saved.paused.map(|time| time.as_secs_f64()),
                }),
            )?;
        }
        // Above.
        Action::Restore(_) => {}
        Action::List { json } => {
            snapshot::finish_undo(&paths)?;
            let records = Record::all(&paths)?;
            if *json {
                print::json(&records)?;
            } else if records.is_empty() {
                print::text("no snapshot yet; `hardway snapshot save NAME` makes one\n")?;
            } else {
                print::text(&snapshot::list(&records))?;
            }
        }
        Action::Show { name, json } => {
            let shown = snapshot::show(&paths, &topology, name)?;
            if *json {
                print::json(&shown)?;
            } else {
                print::text(&shown.text())?;
            }
        }
        Action::Delete { name, manners } => {
            let command = format!("snapshot delete {name}");
            let goal = format!("remove {name}");
            if manners.goes_on("", &goal, &command, || {
                snapshot::look_delete(&paths, &topology, name)
            })? {
                snapshot::delete(&paths, &topology, name, STALL)?;
                let text = format!("deleted {name}\n");
                manners.look.tell(&text, json!({ "deleted": name }))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
