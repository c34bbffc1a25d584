//! `hardway reset`: back to the cluster as its installation left it.

use std::process::ExitCode;

use anyhow::Result;

use super::manners::Manners;
use super::restore::Wish;
use super::{Global, restore};
use crate::ops::snapshot;

/// Bring the cluster back to what it was when installed: `hardway restore fresh`
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    manners: Manners,
}

pub(super) fn run(global: &Global, args: &Args) -> Result<ExitCode> {
    let wish = Wish {
        name: &snapshot::fresh_name()?,
        with_pki: false,
        wait: true,
    };
    restore::run_as(global, "reset", wish, args.manners)
}
