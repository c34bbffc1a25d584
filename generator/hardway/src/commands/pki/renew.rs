//! `hardway pki renew`: issue certificates anew.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use serde_json::json;

use super::super::apply::Told;
use super::super::{Global, print};
use super::{Restarts, restarts};
use crate::ops::apply::{self, Wishes};
use crate::ops::lock;
use model::plan;
use pki::{self, Use, Wish};

/// Issue certificates anew, from hosts/pki/*.json, each with the key that it has
///
/// Says which units of which nodes read them, and so have to start again.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// As `hardway pki show` names them
    #[arg(value_name = "NAME", required_unless_present = "all")]
    names: Vec<String>,
    /// Every certificate but the authorities'
    #[arg(long, conflicts_with = "names")]
    all: bool,
    /// Make a new key for each
    #[arg(long)]
    new_key: bool,
    /// Bring them to the running machines, and test the cluster at the end
    #[arg(long, conflicts_with = "dry_run")]
    apply: bool,
    /// Write nothing; say what would change
    #[arg(long)]
    dry_run: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(global: &Global, args: &Args) -> Result<ExitCode> {
    let (paths, topology) = global.cluster()?;
    let plan = plan::plan(&topology);
    let wish = Wish {
        names: (!args.all).then_some(&args.names[..]),
        new_key: args.new_key,
        dry_run: args.dry_run,
    };
    let renew = || pki::renew(&plan, &topology, &paths, &wish);
    let renewed = match args.dry_run {
        true => renew()?,
        false => lock::hold(&paths, "pki renew", renew)?,
    };
    let units = restarts(renewed.iter().flat_map(|one| &one.used));
    let bring = |told: &mut Told| -> Result<()> {
        let nodes: Vec<String> = units.keys().map(|node| (*node).to_owned()).collect();
        if !args.apply || nodes.is_empty() {
            return Ok(());
        }
        let wishes = Wishes {
            dry_run: false,
            verify: true,
        };
        apply::apply(&paths, &topology, &nodes, wishes, told).map(drop)
    };
    let mut told = Told::new(args.json);
    if args.json {
        bring(&mut told)?;
        print::json(&json!({
            "written": !args.dry_run,
            "renewed": renewed,
            "restart": units,
            "applied": args.apply,
            "checks": told.checks,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = String::new();
    for one in &renewed {
        let _ = writeln!(
            text,
            "{} {}: until {}, {}, {}",
            if args.dry_run {
                "would renew"
            } else {
                "renewed"
            },
            one.name,
            one.until,
            match &one.was_until {
                Some(day) => format!("was until {day}"),
                None => "there was none to read".to_owned(),
            },
            match &one.new_key {
                Some(reason) => format!("with a new key ({reason})"),
                None => "with the key it had".to_owned(),
            }
        );
    }
    text += &readers(&units, !args.apply);
    print::text(&text)?;
    bring(&mut told)?;
    Ok(ExitCode::SUCCESS)
}

/// Who reads the files of one certificate, and what brings them there.
pub(super) fn restart(used: &[Use]) -> String {
    readers(&restarts(used), true)
}

fn readers(units: &Restarts<'_>, hint: bool) -> String {
    if units.is_empty() {
        return String::new();
    }
    let mut text =
        "who reads them, and goes on with the old ones until it starts again:\n".to_owned();
    for (node, units) in units {
        let names: Vec<&str> = units.iter().map(|unit| &**unit).collect();
        let _ = writeln!(text, "  {node}: {}", names.join(", "));
    }
    if hint {
        let nodes: Vec<&str> = units.keys().map(|node| &**node).collect();
        let _ = writeln!(
            text,
            "to bring them there: hardway apply {}",
            nodes.join(" ")
        );
    }
    text
}
