//! Which medium a cluster's machines are installed from: `hardway medium`, and the
//! first step of an installation.

use std::path::PathBuf;

use anyhow::Result;

use super::install::Options;
use super::interrupt::Interrupt;
use super::progress::Progress;
use crate::deploy::media::{self, Found, Listener, Wanted};
use common::state::Paths;
use qemu::{Arch, Host};

/// Fetches the medium without installing anything. `update`: the channel's latest,
/// whatever is pinned.
pub fn fetch(paths: &Paths, options: &Options, update: bool) -> Result<Found> {
    let progress = Progress::new([]);
    find(paths, options, update, &progress, &Interrupt::install()?)
}

pub(super) fn find(
    paths: &Paths,
    options: &Options,
    update: bool,
    progress: &Progress,
    interrupt: &Interrupt,
) -> Result<Found> {
    let wanted = wanted(paths, options, update)?;
    let say = |line: &str| progress.say(line);
    let listener = Listener {
        say: &say,
        cancelled: interrupt.flag(),
    };
    media::find(paths, &wanted, listener)
}

/// What [`find`] would find: where the medium is, or in words how it would come here.
pub(super) fn look(paths: &Paths, options: &Options) -> Result<Result<PathBuf, String>> {
    media::look(paths, &wanted(paths, options, false)?)
}

fn wanted<'a>(paths: &Paths, options: &'a Options, update: bool) -> Result<Wanted<'a>> {
    let arch = match (options.arch, Host::pinned(paths)?) {
        (Some(arch), _) => arch,
        (None, Some(host)) => host.arch,
        (None, None) => Arch::native(),
    };
    Ok(Wanted {
        arch,
        iso: options.iso.as_ref(),
        channel: options.channel.as_deref(),
        offline: options.offline,
        update,
    })
}
