//! `hardway kubectl …`: kubectl with this cluster's kubeconfig.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, anyhow};

use super::Global;
use crate::ops::tools;
use common::report::WithHint;
use model::topology;

/// Run kubectl on this cluster
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub(super) struct Args {
    /// kubectl's own arguments
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "ARGUMENT"
    )]
    arguments: Vec<OsString>,
}

/// Becomes kubectl: its exit code, terminal and signals are then its own.
pub(super) fn run(global: &Global, args: &Args) -> Result<ExitCode> {
    let paths = topology::find(global.dir.as_deref())?;
    let kubeconfig = paths.kubeconfig();
    if !kubeconfig.is_file() {
        return Err(anyhow!(
            "no cluster yet: there is no {}",
            kubeconfig.display()
        ))
        .hint("run `hardway up`");
    }
    let kubectl = tools::find("kubectl", "it is what this verb runs")?;
    let error = Command::new(&kubectl)
        .args(&args.arguments)
        .env("KUBECONFIG", kubeconfig)
        .exec();
    Err(error).with_context(|| format!("cannot start {}", kubectl.display()))
}
