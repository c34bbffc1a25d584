//! `hardway reset`: back to the cluster as its installation left it.

use std::process::ExitCode;

use anyhow::Result;

use super::{Global, restore};
use crate::cluster::snapshot;

/// Bring the cluster back to what it was when installed: `hardway restore fresh`
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn run(global: &Global, _args: &Args) -> Result<ExitCode> {
    restore::to(global, &snapshot::fresh_name()?, false, true)
}
