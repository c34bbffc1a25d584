//! What takes minutes in a node is a job of systemd's: it goes on whatever becomes of
//! this program, of the connection or of the guest agent, and is asked whether it is over.

use std::time::Instant;

use anyhow::{Context, Result, anyhow};

use super::guest::Guest;
use crate::ops::interrupt::Interrupt;
use crate::ops::wait::{printable, words};

/// systemd's job, and what it prints.
pub(super) const JOB: &str = "hardway-apply.service";
const LOG: &str = "/run/hardway-apply/log";
/// How many lines of it an error shows.
const LOG_LINES: &str = "60";

/// What a job did.
pub(super) struct Ended {
    pub code: i64,
    /// The last lines that it printed.
    pub log: String,
}

impl Ended {
    /// Of a job that there was no need for.
    pub(super) fn nothing() -> Self {
        Self {
            code: 0,
            log: String::new(),
        }
    }
}

impl Guest<'_> {
    /// Runs shell text as a job of systemd's and waits for its end. A switch may take
    /// minutes, and may restart the guest agent itself.
    pub(super) fn job(&self, command: &str, interrupt: &Interrupt) -> Result<Ended> {
        let start = r#"mkdir -p -m 700 /run/hardway-apply
systemctl stop "$1" 2>/dev/null || true
systemctl reset-failed "$1" 2>/dev/null || true
: >"$2"
exec systemd-run --quiet --unit="$1" --service-type=exec --property=RemainAfterExit=yes \
  --property=StandardOutput=append:"$2" --property=StandardError=append:"$2" \
  --setenv=PATH="$PATH" --setenv=HOME=/root /bin/sh -c "$3""#;
        self.run(start, &[JOB, LOG, command], b"")
            .context("systemd-run failed")?;
        let look = "exec systemctl show --property=ActiveState --property=SubState \
                    --property=ExecMainStatus \"$1\"";
        let end = Instant::now() + self.limits.switch();
        let code = loop {
            interrupt.sleep(self.limits.pause())?;
            match self.run(look, &[JOB], b"") {
                Ok(state) => {
                    if let Some(code) = ended(&state) {
                        break code;
                    }
                }
                // The agent itself may be in the middle of a restart.
                Err(error) if Instant::now() >= end => return Err(error),
                Err(_) => {}
            }
            if Instant::now() >= end {
                let limit = self.limits.switch().as_secs();
                return Err(anyhow!("{}", self.log()?).context(format!("no end within {limit} s")));
            }
        };
        let log = self.log()?;
        let clean = "systemctl stop \"$1\" 2>/dev/null || true
systemctl reset-failed \"$1\" 2>/dev/null || true";
        self.run(clean, &[JOB], b"")?;
        Ok(Ended { code, log })
    }

    /// The last lines that the job printed.
    fn log(&self) -> Result<String> {
        let text = self
            .run("exec tail -n \"$1\" \"$2\"", &[LOG_LINES, LOG], b"")
            .map_err(|error| anyhow!("its log can't be read: {}", words(&error)))?;
        let lines: Vec<String> = text.trim_end().lines().map(printable).collect();
        Ok(lines.join("\n"))
    }
}

/// The exit code of a job that did not come to its own end.
const STOPPED: i64 = 255;

/// The exit code of a job that has ended, by what systemd shows of it.
fn ended(state: &str) -> Option<i64> {
    let value = |name: &str| {
        let mut lines = state.lines();
        lines.find_map(|line| line.trim().strip_prefix(name)?.strip_prefix('='))
    };
    let code: i64 = value("ExecMainStatus")?.parse().ok()?;
    match value("ActiveState")? {
        "active" if value("SubState")? == "exited" => Some(code),
        // Someone has stopped it, or the machine was started anew meanwhile.
        "failed" | "inactive" if code == 0 => Some(STOPPED),
        "failed" | "inactive" => Some(code),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_over_when_systemd_says_so() {
        let state = |active: &str, sub: &str, code: i64| {
            ended(&format!(
                "ExecMainStatus={code}\nActiveState={active}\nSubState={sub}\n"
            ))
        };
        assert_eq!(state("active", "running", 0), None);
        assert_eq!(state("activating", "start", 0), None);
        assert_eq!(state("active", "exited", 0), Some(0));
        assert_eq!(state("failed", "failed", 4), Some(4));
        assert_eq!(state("inactive", "dead", 0), Some(255));
        assert_eq!(ended(""), None);
    }
}
