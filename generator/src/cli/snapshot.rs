//! `hardway snapshot`: the whole cluster as it was at a moment, to go back to.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Subcommand;

use super::{Global, restore};
use crate::cluster::seconds;
use crate::cluster::snapshot::{self, Name, Record};
use crate::topology;

/// Save the whole cluster, go back to it, list, show, delete
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Save every machine as it is now: running ones with their memory, within seconds
    Save {
        /// Letters, digits, `-`, `_` and `.`, at most 64
        name: Name,
        /// What for
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
        /// Of machines that are off: disks alone, which another QEMU can start too
        #[arg(long)]
        cold: bool,
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
    },
}

pub(super) fn run(global: &Global, args: &Args) -> Result<ExitCode> {
    if let Action::Restore(args) = &args.action {
        return restore::run(global, args);
    }
    let paths = topology::find(global.dir.as_deref())?;
    let topology = topology::load(&paths)?;
    match &args.action {
        Action::Save {
            name,
            description,
            cold,
        } => {
            let saved = snapshot::save(&paths, &topology, name, description.as_deref(), *cold)?;
            let count = saved.record.cluster.generation.len();
            match saved.paused {
                Some(paused) => {
                    println!(
                        "saved {name}: {count} machines stood still for {}",
                        seconds(paused)
                    );
                }
                None => println!("saved {name}: the disks of {count} machines"),
            }
        }
        // Above.
        Action::Restore(_) => {}
        Action::List { json } => {
            let records = Record::all(&paths)?;
            if *json {
                print_json(&records)?;
            } else if records.is_empty() {
                println!("no snapshot yet; `hardway snapshot save NAME` makes one");
            } else {
                print!("{}", snapshot::list(&records));
            }
        }
        Action::Show { name, json } => {
            let shown = snapshot::show(&paths, &topology, name)?;
            if *json {
                print_json(&shown)?;
            } else {
                print!("{}", shown.text());
            }
        }
        Action::Delete { name } => {
            snapshot::delete(&paths, &topology, name)?;
            println!("deleted {name}");
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn print_json(value: &impl serde::Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value).context("cannot write JSON")?;
    println!("{text}");
    Ok(())
}
