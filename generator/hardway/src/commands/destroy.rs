//! `hardway destroy`: remove the machines, their disks and the keys.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::json;

use super::Global;
use super::manners::Manners;
use crate::ops::destroy;
use model::topology;

/// Remove every machine, disk and key; hosts/ and cluster.json stay
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    manners: Manners,
}

pub(super) fn run(global: &Global, args: &Args) -> Result<ExitCode> {
    let paths = topology::find(global.dir.as_deref())?;
    let (manners, state) = (args.manners, paths.state());
    let shown = state.display();
    let nothing = format!("there is no {shown}");
    let goes_on = manners.goes_on(&nothing, "remove all of it", "destroy", || {
        destroy::look(&paths)
    })?;
    if goes_on {
        let (text, removed) = match destroy::destroy(&paths)? {
            true => (format!("removed {shown}\n"), Some(&state)),
            false => (format!("nothing to do: {nothing}\n"), None),
        };
        manners.look.tell(&text, json!({ "removed": removed }))?;
    }
    Ok(ExitCode::SUCCESS)
}
