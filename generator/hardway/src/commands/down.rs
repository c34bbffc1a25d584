//! `hardway down`: shut the machines down; disks and keys stay.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::json;

use super::Global;
use super::manners::Look;
use crate::ops::down;
use model::topology;

/// Shut every machine down; `hardway up` starts them again
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    look: Look,
}

const NOTHING: &str = "no machine runs";

pub(super) fn run(global: &Global, args: &Args) -> Result<ExitCode> {
    let paths = topology::find(global.dir.as_deref())?;
    if args.look.goes_on(NOTHING, || down::look(&paths))? {
        let stopped = down::down(&paths)?;
        let mut text: String = stopped
            .iter()
            .map(|machine| machine.text() + "\n")
            .collect();
        if stopped.is_empty() {
            text = format!("nothing to do: {NOTHING}\n");
        }
        args.look.tell(&text, json!({ "stopped": stopped }))?;
    }
    Ok(ExitCode::SUCCESS)
}
