//! `hardway ssh`: a shell on a node, or a command there.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::ExitCode;

use anyhow::{Context, Result};

use super::Global;
use crate::ops::ssh;

/// Log in on a node as root, or run a command there
///
/// With the cluster's own key and a port that this host forwards; the node is known by a
/// key that was made before it was installed. The exit code is the command's. For scp, rsync
/// and more of ssh, the same is in a file: ssh -F .hardway/ssh/config NODE
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[arg(value_name = "NODE")]
    node: String,
    /// What to run there, in words that ssh joins and the node's shell reads [default: a shell]
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "COMMAND"
    )]
    command: Vec<OsString>,
}

/// Becomes ssh: its exit code, terminal and signals are then its own.
pub(super) fn run(global: &Global, args: &Args) -> Result<ExitCode> {
    let (paths, topology) = global.cluster()?;
    let mut command = ssh::command(&paths, &topology, &args.node, &args.command)?;
    let error = command.exec();
    Err(error).with_context(|| format!("cannot start {}", command.get_program().display()))
}
