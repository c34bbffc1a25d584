//! `hardway restore`, also `hardway snapshot restore`: back to a snapshot.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::json;

use super::Global;
use super::manners::Manners;
use crate::ops::seconds;
use crate::ops::snapshot::{self, Kind, Name, Restored};
use crate::ops::would::Would;
use common::report::FAILED;
use common::state::Paths;
use model::topology::Topology;

/// Bring every machine back to a snapshot; what happened since is lost
///
/// Machines that are off are started for a snapshot of running ones. Where one machine
/// fails, all become again what they were before. What `hardway apply` brought them since
/// is gone too, and can be applied again.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    name: Name,
    /// Bring the host's keys, certificates and kubeconfig of that time back too
    #[arg(long)]
    with_pki: bool,
    /// Come back once the machines go on: do not wait until every node is Ready
    #[arg(long)]
    no_wait: bool,
    #[command(flatten)]
    manners: Manners,
}

/// What to go back to, and how.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish<'a> {
    pub name: &'a Name,
    pub with_pki: bool,
    pub wait: bool,
}

impl Wish<'_> {
    pub(super) fn look(self, paths: &Paths, topology: &Topology) -> Result<Would> {
        snapshot::look_restore(paths, topology, self.name, self.with_pki, self.wait)
    }

    pub(super) fn restore(self, paths: &Paths, topology: &Topology) -> Result<Restored> {
        let Self {
            name,
            with_pki,
            wait,
        } = self;
        snapshot::restore(paths, topology, name, with_pki, wait, snapshot::STALL)
    }

    /// What was done.
    pub(super) fn text(self, restored: &Restored) -> String {
        let name = self.name;
        let done = match restored.kind {
            Kind::Running => format!(
                "restored {name}: the machines were back after {}{}\n",
                seconds(restored.took),
                if self.ready(restored) {
                    ", every node is Ready"
                } else {
                    ""
                }
            ),
            Kind::Cold => format!("restored {name}: `hardway up` starts the machines\n"),
        };
        done + &restored.gone()
    }

    /// Whether every node is, as far as this run knows.
    fn ready(self, restored: &Restored) -> bool {
        restored.kind == Kind::Running && self.wait && restored.expired.is_empty()
    }
}

pub(super) fn run(global: &Global, args: &Args) -> Result<ExitCode> {
    let wish = Wish {
        name: &args.name,
        with_pki: args.with_pki,
        wait: !args.no_wait,
    };
    let with_pki = if args.with_pki { " --with-pki" } else { "" };
    let command = format!("restore {}{with_pki}", args.name);
    run_as(global, &command, wish, args.manners)
}

/// `command`: what a person would type.
pub(super) fn run_as(
    global: &Global,
    command: &str,
    wish: Wish<'_>,
    manners: Manners,
) -> Result<ExitCode> {
    let (paths, topology) = global.cluster()?;
    let goal = format!("go back to {}", wish.name);
    if !manners.goes_on("", &goal, command, || wish.look(&paths, &topology))? {
        return Ok(ExitCode::SUCCESS);
    }
    let restored = wish.restore(&paths, &topology)?;
    manners.look.tell(
        &wish.text(&restored),
        json!({
            "restored": wish.name,
            "kind": restored.kind,
            "seconds": restored.took.as_secs_f64(),
            "ready": wish.ready(&restored),
            "expired": restored.expired,
            "older": restored.older,
        }),
    )?;
    if let Some(warning) = restored.warning(wish.name) {
        eprintln!("{warning}");
        return Ok(ExitCode::from(FAILED));
    }
    Ok(ExitCode::SUCCESS)
}
