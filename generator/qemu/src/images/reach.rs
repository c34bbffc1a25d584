//! The way to a machine's QEMU: why it may be closed, and how long it is waited for.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Result, anyhow};

use super::{Images, Reached};
use crate::process;
use common::report::{Code, Hint, INTERRUPTED, WithHint};

impl Images {
    /// Connects to QEMU if it runs.
    pub(super) fn reach(&mut self) -> Result<()> {
        self.reached = None;
        let Some(machine) = process::find(&self.paths, &self.node) else {
            return Ok(());
        };
        if let Some(lost) = machine.lost_sockets() {
            let remedy = lost.remedy();
            return Err(lost).hint(remedy);
        }
        let connected = match self.paused {
            true => {
                let mut watch = self.watch(machine.pid(), false);
                machine.qmp_while(&mut || watch.check("QEMU to answer"))
            }
            // A guest that runs always moves its images.
            false => {
                let deadline = Instant::now() + self.stall;
                machine.qmp_while(&mut || {
                    interrupted(&self.cancelled)?;
                    match Instant::now() < deadline {
                        true => Ok(()),
                        false => Err(self.taken()),
                    }
                })
            }
        };
        let qmp = self.noting_stalls(connected)?;
        self.reached = Some(Reached { machine, qmp });
        Ok(())
    }

    /// QEMU has not greeted.
    fn taken(&self) -> anyhow::Error {
        let hint = "end that program, e.g. a hardway that was stopped with Ctrl-Z: fg";
        anyhow!(
            "no greeting within {} s: another program holds the connection, and QEMU serves one \
             at a time",
            self.stall.as_secs()
        )
        .context(Hint(hint.to_owned()))
    }
}

/// Fails once the user has asked to stop.
pub(super) fn interrupted(cancelled: &AtomicBool) -> Result<()> {
    match cancelled.load(Ordering::SeqCst) {
        true => Err(anyhow!("interrupted").context(Code(INTERRUPTED))),
        false => Ok(()),
    }
}
