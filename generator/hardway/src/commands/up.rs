//! `hardway up`: from cluster.json to a cluster whose nodes are Ready.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use serde_json::json;

use super::fit::{Demand, Fit};
use super::install::Source;
use super::manners::Manners;
use super::restore::Wish;
use super::{Global, confirm, init, print, verify};
use crate::ops::snapshot::Name;
use crate::ops::up::{self, Wishes};
use crate::ops::would::Would;
use crate::ops::{capture, fit, members, shrink};
use common::state::Paths;

/// Install, start and wait until every node is Ready; safe to repeat
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    source: Source,
    /// Begin with this snapshot, whatever runs now: what happened since it is lost
    #[arg(long, value_name = "NAME", conflicts_with_all = ["init", "fit"])]
    from: Option<Name>,
    /// In an empty folder, begin with the default cluster, as `hardway init` does
    #[arg(long, conflicts_with = "dry_run")]
    init: bool,
    /// Test the cluster when it is up, as `hardway verify` does
    #[arg(long, conflicts_with = "json")]
    verify: bool,
    /// After an installation, save no snapshot `fresh` for `hardway reset`
    #[arg(long)]
    no_snapshot: bool,
    /// Cilium's Helm chart on disk instead of its repository
    #[arg(long, value_name = "DIR")]
    chart: Option<PathBuf>,
    /// Capture what NODE sends and receives on the nodes' network into FILE, for Wireshark
    /// or tcpdump; for as long as its machine runs (again for another node)
    #[arg(long, num_args = 2, value_names = ["NODE", "FILE"])]
    pcap: Vec<String>,
    #[command(flatten)]
    fit: Fit,
    #[command(flatten)]
    manners: Manners,
}

pub(super) fn run(global: &Global, args: &Args) -> Result<ExitCode> {
    if args.init {
        init::begin(global)?;
    }
    let (paths, mut topology) = global.cluster()?;
    up::virtual_only(&topology)?;
    let changes = members::changes(&paths, &topology)?;
    let command = match args.init && args.verify {
        true => fit::CLUSTER_UP,
        false => "up",
    };
    let demand = Demand {
        install: &changes.install,
        start: &[&changes.install[..], &changes.starts()].concat(),
        command,
        ask: !args.manners.yes,
    };
    let from = args.from.as_ref().map(|name| Wish {
        name,
        with_pki: false,
        wait: true,
    });
    let manners = args.manners;
    let go_on = manners.look.goes_on("", || {
        let mut would = Would::default();
        if let Some(wish) = from {
            would = wish.look(&paths, &topology)?;
            would.step("go on as `hardway up` without --from does");
            return Ok(would);
        }
        let (_, sizes) = args.fit.would_fit(&paths, topology.clone(), &demand)?;
        sizes.into_iter().for_each(|step| would.step(step));
        changes.tell(&mut would);
        would.lost = shrink::targets(&paths, &changes.leave)?;
        Ok(would)
    })?;
    if !go_on {
        return Ok(ExitCode::SUCCESS);
    }
    let captures = capture::captures(&topology, &args.pcap)?;
    if !changes.leave.is_empty() && !manners.yes {
        let names = members::listed(&changes.leave);
        confirm::confirm(&confirm::Question {
            title: &format!("cluster.json no longer has {names}. `up` removes, for good:"),
            targets: &shrink::targets(&paths, &changes.leave)?,
            goal: &format!("to remove {names}"),
            hint: &format!("say `hardway up --yes`, or put {names} into cluster.json again"),
        })?;
    }
    // Last of the questions, since it writes: who says no to another one has changed nothing.
    // A snapshot fits machines of the size that it was saved with: with --from nothing shrinks.
    if from.is_none() {
        topology = args.fit.fitted(&paths, topology, &demand)?;
    }
    if let Some(wish) = from {
        let (goal, again) = (
            format!("go back to {}", wish.name),
            format!("up --from {}", wish.name),
        );
        manners.goes_on("", &goal, &again, || wish.look(&paths, &topology))?;
        // Of running machines: `up` finds little to do. Of machines that were off: it starts them.
        let restored = wish.restore(&paths, &topology)?;
        if !manners.look.json {
            print::text(&wish.text(&restored))?;
        }
        if let Some(warning) = restored.warning(wish.name) {
            eprintln!("{warning}");
        }
    }
    let wishes = Wishes {
        source: args.source.options(),
        chart: args.chart.clone(),
        snapshot: !args.no_snapshot,
        captures,
        leaving: changes.leave.clone(),
        command,
    };
    up::up(&paths, &topology, &wishes)?;
    manners.look.tell(
        &kubeconfig(global, &paths),
        json!({
            "kubeconfig": paths.kubeconfig(),
            "from": args.from,
            "installed": changes.install,
            "started": changes.starts(),
            "removed": changes.leave,
        }),
    )?;
    if args.verify {
        return verify::test(&paths, &topology, false);
    }
    Ok(ExitCode::SUCCESS)
}

/// How to talk to the cluster that is up.
pub(super) fn kubeconfig(global: &Global, paths: &Paths) -> String {
    let file = paths.kubeconfig();
    let shown = file.display();
    let hardway = global.typed();
    format!("kubeconfig: {shown}\ntry: {hardway} kubectl get nodes\n")
}
