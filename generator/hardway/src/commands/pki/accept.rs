//! `hardway pki accept`: take what an authority elsewhere has signed.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};

use super::super::{Global, print};
use super::{read, renew};
use crate::ops::lock;
use model::plan::plan;
use pki::{self, BOOTSTRAP};

/// Take a certificate that was signed elsewhere, if it is what `hardway pki csr` asked for
///
/// Its key must be the request's, its subject and names what hosts/pki asks for, its usages no
/// more powerful, its signature the authority's. Every kubeconfig that it is in is written again.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// As `hardway pki show` names it; or `bootstrap`
    #[arg(value_name = "NAME")]
    name: String,
    /// The certificate alone, as PEM
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Print what was taken in as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(global: &Global, args: &Args) -> Result<ExitCode> {
    let (paths, topology) = global.cluster()?;
    let plan = plan(&topology);
    let bytes = read::file(&args.file)
        .with_context(|| format!("cannot accept {} for {}", args.file.display(), args.name))?;
    let accepted = lock::hold(&paths, "pki accept", || {
        pki::accept(&plan, &topology, &paths, &args.name, &args.file, &bytes)
    })?;
    if args.json {
        print::json(&accepted)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = format!("accepted {}: until {}\n", args.name, accepted.until);
    if args.name == BOOTSTRAP {
        text +=
            "the next `hardway up` or `bootstrap` binds the first roles with it, and removes it\n";
    }
    for file in &accepted.files {
        text += &format!("  {}\n", paths.pki().join(file).display());
    }
    text += &renew::restart(&accepted.used);
    print::text(&text)?;
    Ok(ExitCode::SUCCESS)
}
