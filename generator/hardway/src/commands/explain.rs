//! `hardway explain`: what a component, a flag or a field is for, in this cluster.

use std::process::ExitCode;

use anyhow::{Context, Result};
use serde_json::json;

use super::{Global, print};
use model::explain::{self, Component, Explained, Facts, Item};
use model::plan::plan;

/// Explain what the nodes run: what a flag is, why this value, what breaks without it
///
/// Without COMPONENT: every component, a line each. With one: its flags, and the fields of
/// its configuration. With FLAG (`--etcd-servers`) or a field (`clusterDNS`): all about it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// e.g. kube-apiserver
    component: Option<String>,
    /// A flag, with or without its dashes, or a field's path
    #[arg(allow_hyphen_values = true)]
    flag: Option<String>,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(global: &Global, args: &Args) -> Result<ExitCode> {
    let (_, topology) = global.cluster()?;
    let all = explain::components(&plan(&topology));
    let facts = Facts::of(&topology)?;
    let Some(name) = &args.component else {
        match args.json {
            true => print::json(&all.values().collect::<Vec<_>>())?,
            false => print::text(&explain::list(&all))?,
        }
        return Ok(ExitCode::SUCCESS);
    };
    let component = explain::find(&all, &facts, name)?;
    if let Some(written) = &args.flag {
        let item = component.item(&facts, written)?;
        let explained = explained(component, item, &facts)?;
        match args.json {
            true => print::json(
                &json!({ "component": component.name, "item": item, "explained": explained }),
            )?,
            false => print::text(&explain::full(component, item, &explained))?,
        }
        return Ok(ExitCode::SUCCESS);
    }
    let about = facts.explain(&explain::texts_of(&component.name)?.about, "")?;
    let items = component.items.iter();
    let lines: Vec<(&Item, Explained)> = items
        .map(|item| Ok((item, explained(component, item, &facts)?)))
        .collect::<Result<_>>()?;
    if args.json {
        let items: Vec<_> = lines
            .iter()
            .map(|(item, explained)| json!({ "item": item, "explained": explained }))
            .collect();
        print::json(&json!({ "component": component, "about": about, "items": items }))?;
    } else {
        print::text(&explain::component(component, &about, &lines))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn explained(component: &Component, item: &Item, facts: &Facts) -> Result<Explained> {
    let name = &component.name;
    let entry = explain::texts_of(name)?
        .entry(item)
        .with_context(|| format!("nothing is written of {name}'s {}", item.name))?;
    let values: Vec<&str> = item.values.iter().map(|one| one.value.as_str()).collect();
    facts.explain(entry, &values.join(" or "))
}
