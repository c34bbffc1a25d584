//! A machine's orderly end: the guest agent is asked first, and where it refuses or cannot
//! be asked, ACPI's power button is pressed.
//!
//! QEMU's sockets are in the runtime folder, which the system may clean away (macOS empties
//! /tmp, a Linux login's end empties $XDG_RUNTIME_DIR). The machine runs on, and the power
//! button still works: QEMU also reads QMP commands from a FIFO beside the disk. A FIFO's
//! path may be long, a socket's may not.

use std::fmt;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use rustix::fs::OFlags;
use serde::Serialize;
use serde_json::json;

use super::Running;
use crate::agent::Agent;

/// How long the guest agent may take to answer before the power button is pressed.
const ASK: Duration = Duration::from_secs(5);
/// How often a machine that shuts down is looked at.
const TICK: Duration = Duration::from_millis(50);
/// How long a QEMU that no longer takes commands may take to end: it may be ending already.
const ENDING: Duration = Duration::from_secs(1);

/// QMP leaves its negotiation mode once; a second time it answers with an error, and goes on.
const PRESS: &[u8] = b"{\"execute\":\"qmp_capabilities\"}\n{\"execute\":\"system_powerdown\"}\n";

/// How a guest was asked to shut down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Asked {
    GuestAgent,
    PowerButton,
    /// It could not be asked.
    Not,
}

/// What came of [`Running::stop`].
#[derive(Debug)]
pub struct Shutdown {
    /// Whether the machine has ended.
    pub ended: bool,
    pub asked: Asked,
    /// Why the guest agent did not do it, where it did not.
    pub reason: Option<anyhow::Error>,
}

impl Running {
    /// Shuts the guest down in order; it has `limit` for it each time it is asked.
    pub fn stop(&self, limit: Duration) -> Shutdown {
        self.stop_unless(limit, &|| false)
    }

    /// The same; it waits no longer once `interrupted` says so.
    pub fn stop_unless(&self, limit: Duration, interrupted: &dyn Fn() -> bool) -> Shutdown {
        let refused = match self.ask_agent(limit, interrupted) {
            Ok(ended) => {
                return Shutdown {
                    ended,
                    asked: Asked::GuestAgent,
                    reason: None,
                };
            }
            Err(error) => error,
        };
        match self.press_power_button() {
            Ok(()) => Shutdown {
                ended: self.ends(limit, interrupted),
                asked: Asked::PowerButton,
                reason: Some(refused),
            },
            Err(error) => Shutdown {
                ended: self.ends(ENDING, interrupted),
                asked: Asked::Not,
                reason: Some(error),
            },
        }
    }

    /// Whether the machine ends within `limit`, and before it is `interrupted`.
    fn ends(&self, limit: Duration, interrupted: &dyn Fn() -> bool) -> bool {
        let end = Instant::now() + limit;
        loop {
            if self.identity.wait(TICK) {
                return true;
            }
            if Instant::now() >= end || interrupted() {
                return false;
            }
        }
    }

    /// Whether the machine ended within `limit` after its guest agent was asked; an error
    /// where the agent cannot be asked, or refuses. One that obeys answers nothing, so its
    /// refusal may come at any time until the machine has ended.
    fn ask_agent(&self, limit: Duration, interrupted: &dyn Fn() -> bool) -> Result<bool> {
        if let Some(gone) = self.lost_sockets() {
            return Err(gone.into());
        }
        let mut agent = Agent::connect_within(&self.socket("qga"), ASK)?;
        agent.shutdown()?;
        let end = Instant::now() + limit;
        loop {
            if let Some(refusal) = agent.refusal(TICK) {
                return Err(refusal);
            }
            if self.identity.wait(TICK) {
                return Ok(true);
            }
            if Instant::now() >= end || interrupted() {
                return Ok(false);
            }
        }
    }

    fn press_power_button(&self) -> Result<()> {
        let pressed = match self.lost_sockets() {
            Some(gone) => Err(gone.into()),
            None => self
                .qmp()
                .and_then(|mut qmp| qmp.execute("system_powerdown", &json!({})))
                .map(drop),
        };
        pressed.or_else(|error| {
            press(&self.power).map_err(|also| anyhow!("{error:#}, and it {also:#}"))
        })
    }

    /// Why the machine can't be asked anything, where a socket of it is gone.
    pub fn lost_sockets(&self) -> Option<Lost> {
        let mut sockets = ["qmp", "qga", "con"]
            .map(|kind| self.socket(kind))
            .into_iter();
        sockets.find(|socket| !socket.exists())?;
        let line = self.identity.command_line();
        let holds = |part: &[u8]| line.windows(part.len()).any(|window| window == part);
        let (socket, name) = (self.socket("qmp"), format!("/{}.qmp", self.name));
        Some(Lost {
            folder: self.sockets.clone(),
            elsewhere: holds(name.as_bytes()) && !holds(socket.as_os_str().as_encoded_bytes()),
        })
    }
}

/// The sockets of a machine that runs are not where they should be.
#[derive(Debug)]
pub struct Lost {
    folder: PathBuf,
    /// QEMU was told another folder.
    pub elsewhere: bool,
}

impl Lost {
    /// The command that gives it sockets again: with a new start.
    pub fn remedy(&self) -> &'static str {
        match self.elsewhere {
            true => "hardway down && hardway up",
            false => "hardway up",
        }
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let folder = self.folder.display();
        match self.elsewhere {
            true => write!(
                out,
                "its sockets are not in {folder}: it was started under another XDG_RUNTIME_DIR"
            ),
            false => write!(out, "its sockets in {folder} are gone"),
        }
    }
}

impl std::error::Error for Lost {}

/// Presses the power button through QEMU's FIFO `path`.
fn press(path: &Path) -> Result<()> {
    // Without a reader, which is QEMU, an open that does not wait fails.
    let press = || -> Result<()> {
        let flags = i32::try_from(OFlags::NONBLOCK.bits())?;
        let mut fifo = OpenOptions::new()
            .write(true)
            .custom_flags(flags)
            .open(path)?;
        if !fifo.metadata()?.file_type().is_fifo() {
            bail!("it is no FIFO");
        }
        Ok(fifo.write_all(PRESS)?)
    };
    press().with_context(|| format!("takes no command from {} either", path.display()))
}
