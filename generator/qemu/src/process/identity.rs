//! Which process a number means: the number, and when the process started.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::io::Errno;
use rustix::process::{Pid, Signal};
use serde::{Deserialize, Serialize};

use super::Running;
use crate::tool;

/// A process, told apart from any later one with its number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    pub(super) pid: i32,
    /// When it started, in the words of the operating system.
    started: String,
}

impl Identity {
    /// The process that has this number now.
    pub(super) fn of(pid: i32) -> Option<Self> {
        Some(Self {
            pid,
            started: started(pid)?,
        })
    }

    pub(super) fn alive(&self) -> bool {
        started(self.pid).as_ref() == Some(&self.started)
    }

    /// Sends a signal, if the process still is the one meant; one that has ended needs none.
    pub(super) fn signal(&self, signal: Signal) -> Result<()> {
        let Some(pid) = Pid::from_raw(self.pid).filter(|_| self.alive()) else {
            return Ok(());
        };
        match rustix::process::kill_process(pid, signal) {
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(error) => {
                Err(error).with_context(|| format!("cannot signal the process {}", self.pid))
            }
        }
    }

    /// Whether it ends within `limit`.
    pub(super) fn wait(&self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        while self.alive() {
            if Instant::now() >= deadline {
                return false;
            }
            sleep(Duration::from_millis(50));
        }
        true
    }

    /// Ends it: SIGTERM, and SIGKILL where it has not gone after `limit`.
    pub(super) fn end(&self, limit: Duration) -> Result<()> {
        for signal in [Signal::TERM, Signal::KILL] {
            self.signal(signal)?;
            if self.wait(limit) {
                return Ok(());
            }
        }
        bail!("the process {} does not end, not even on SIGKILL", self.pid)
    }

    /// Its arguments, in one run of bytes; empty if they can't be read.
    pub(super) fn command_line(&self) -> Vec<u8> {
        if cfg!(target_os = "linux") {
            std::fs::read(format!("/proc/{}/cmdline", self.pid)).unwrap_or_default()
        } else {
            ps(self.pid, "command=")
                .map(String::into_bytes)
                .unwrap_or_default()
        }
    }
}

impl Running {
    /// The guest's memory that QEMU was started with, in MiB; None where its command line does
    /// not say.
    pub fn memory(&self) -> Option<u32> {
        memory(&self.identity.command_line())
    }
}

fn memory(command_line: &[u8]) -> Option<u32> {
    // `ps` prints spaces in the place of zero bytes.
    let mut words = command_line.split(|byte| matches!(byte, 0 | b' '));
    words.find(|word| *word == b"-m")?;
    std::str::from_utf8(words.next()?).ok()?.parse().ok()
}

/// The start time of a process that is alive: a zombie's has no meaning any longer.
fn started(pid: i32) -> Option<String> {
    if cfg!(target_os = "linux") {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The clock of `stat` begins anew at each boot.
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        Some(format!("{} {}", boot.trim(), ticks(&stat)?))
    } else {
        let answer = ps(pid, "stat=,lstart=")?;
        let (state, start) = answer.trim().split_once(char::is_whitespace)?;
        (!state.starts_with('Z')).then(|| start.trim().to_owned())
    }
}

/// The field `starttime`, in clock ticks since boot (proc(5)). The command's name
/// stands in brackets before and may hold anything, brackets too.
fn ticks(stat: &str) -> Option<&str> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    (state != "Z" && state != "X").then(|| fields.nth(18))?
}

pub(super) fn ps(pid: i32, format: &str) -> Option<String> {
    let pid = pid.to_string();
    tool::ask(Path::new("/bin/ps"), ["-o", format, "-p", &pid]).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_time_is_found_behind_any_name() {
        let stat = "42 (a) Z (b) S 1 42 42 0 -1 4194560 1 0 0 0 2 1 0 0 20 0 1 0 98765 1 2";
        assert_eq!(ticks(stat), Some("98765"));
        assert_eq!(ticks(&stat.replace(" S ", " Z ")), None);
    }

    #[test]
    fn the_memory_is_behind_its_option() {
        let line = "qemu -name alpha -machine q35 -m 2048 -smp 2";
        assert_eq!(memory(line.as_bytes()), Some(2048));
        assert_eq!(memory(line.replace(' ', "\0").as_bytes()), Some(2048));
        assert_eq!(memory(b"tail\0-f\0file\0"), None);
    }
}
