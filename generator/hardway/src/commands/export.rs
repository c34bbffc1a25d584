//! `hardway export`: the nodes on machines of one's own, for nixos-anywhere or colmena.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use serde_json::json;

use super::{Global, print};
use crate::export::{self, Tool};

/// Write what nixos-anywhere or colmena reads, for nodes on machines of your own
///
/// Such nodes have a "machine": { "ssh": "root@ADDRESS" } in cluster.json. See docs/real-machines.md.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Who is to read it
    #[arg(value_enum)]
    tool: Tool,
    /// The folder to write into; all of it is replaced [default: export/TOOL beside cluster.json]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(global: &Global, args: &Args) -> Result<ExitCode> {
    let (paths, topology) = global.cluster()?;
    let out = match &args.out {
        Some(out) => std::path::absolute(out)
            .with_context(|| format!("cannot tell where {} is", out.display()))?,
        None => paths.dir.join("export").join(args.tool.as_str()),
    };
    export::export(&paths, &topology, args.tool, &out)?;
    let shown = out.display();
    let next = match args.tool {
        Tool::NixosAnywhere => format!("{shown}/install NODE…"),
        Tool::Colmena => format!("cd {shown} && colmena apply"),
    };
    let then = "hardway bootstrap";
    if args.json {
        print::json(&json!({ "folder": out, "next": [next, then] }))?;
    } else {
        print::text(&format!("{shown}\nnext: {next}\nthen: {then}\n"))?;
    }
    Ok(ExitCode::SUCCESS)
}
