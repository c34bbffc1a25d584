//! `hardway pki break-glass`: for minutes, a certificate that may do everything.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, anyhow};

use super::super::Global;
use common::exposure;
use common::file;

use common::report::WithHint;

/// Make a kubeconfig that may do EVERYTHING (system:masters), for minutes
///
/// For the day on which nobody's permissions are enough to mend permissions. It cannot be
/// taken back: whoever has the file may do everything until it expires.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// For how long, at most a day
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1440))]
    minutes: u16,
    /// Where to write it [default: .hardway/break-glass.kubeconfig]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn run(global: &Global, args: &Args) -> Result<ExitCode> {
    let (paths, topology) = global.cluster()?;
    let text = pki::break_glass(&topology, &paths, args.minutes)?;
    let out = match &args.out {
        Some(out) => out.clone(),
        None => paths.break_glass(),
    };
    if out.is_dir() {
        return Err(anyhow!("{} is a folder", out.display())).hint("name a file: --out FILE");
    }
    exposure::refuse(&out)?;
    file::replace(&out, text.as_bytes(), file::PRIVATE)?;
    let shown = out.display();
    eprintln!(
        "WARNING: {shown} is in system:masters: it may do EVERYTHING in this cluster,\n\
         WARNING: no RBAC rule holds it back, and nobody can revoke it before {minutes} minutes are over.\n\
         WARNING: the API server's audit log names it as hardway-break-glass.",
        minutes = args.minutes,
    );
    println!("hardway kubectl --kubeconfig {shown} auth whoami\nrm {shown}");
    Ok(ExitCode::SUCCESS)
}
