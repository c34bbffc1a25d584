//! Programs of others with a limit: helm and kubectl end with us, and never hang us.

use std::process::Output;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::interrupt::Interrupt;
use super::progress::seconds;

/// Runs `command` to its end, whatever its exit code. At the limit, or on Ctrl-C, it is killed.
pub(super) fn run(
    command: &duct::Expression,
    what: &str,
    limit: Duration,
    interrupt: &Interrupt,
) -> Result<Output> {
    let child = command
        .unchecked()
        .start()
        .with_context(|| format!("cannot start {what}"))?;
    let end = Instant::now() + limit;
    loop {
        let output = child
            .wait_timeout(Duration::from_millis(200))
            .with_context(|| format!("cannot wait for {what}"))?;
        if let Some(output) = output {
            return Ok(output.clone());
        }
        if interrupt.requested() || Instant::now() >= end {
            child.kill().with_context(|| format!("cannot end {what}"))?;
            interrupt.check()?;
            bail!("{what} did not end within {}", seconds(limit));
        }
    }
}
