//! `hardway bootstrap`: what a cluster needs once, on machines that hardway does not run.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

use super::up::kubeconfig;
use super::{Global, print};
use crate::ops::up;

/// Give a new cluster on machines of your own its first permissions and its network
///
/// `hardway up` does this for virtual machines. The API server must be at 127.0.0.1, on the
/// port apiPort, as a tunnel brings it there: ssh -N -L 6443:127.0.0.1:6443 root@ADDRESS
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Cilium's Helm chart on disk instead of its repository
    #[arg(long, value_name = "DIR")]
    chart: Option<PathBuf>,
}

pub(super) fn run(global: &Global, args: &Args) -> Result<ExitCode> {
    let (paths, topology) = global.cluster()?;
    up::bootstrap(&paths, &topology, args.chart.clone())?;
    print::text(&kubeconfig(global, &paths))?;
    Ok(ExitCode::SUCCESS)
}
