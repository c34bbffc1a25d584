//! Ctrl-C: every wait looks here, so that a run ends in order and not in the middle.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use signal_hook::consts::{SIGINT, SIGTERM};

use common::report::{Code, INTERRUPTED};

/// Whether the user has asked to stop.
#[derive(Debug, Clone)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Takes over SIGINT and SIGTERM for the rest of the process. SIGHUP keeps its
    /// meaning: `nohup hardway up` goes on after a logout.
    pub(crate) fn install() -> Result<Self> {
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&flag))
                .context("cannot take over Ctrl-C")?;
        }
        Ok(Self(flag))
    }

    /// One that nobody requests: for what must come to its end.
    pub(crate) fn none() -> Self {
        Self(Arc::new(AtomicBool::new(false)))
    }

    /// The flag itself, for those who wait elsewhere.
    pub(crate) fn flag(&self) -> &AtomicBool {
        &self.0
    }

    /// The same, for those who keep it.
    pub(crate) fn shared(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }

    pub(crate) fn requested(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// Fails with exit code 130 once the user has asked to stop.
    pub(crate) fn check(&self) -> Result<()> {
        if self.requested() {
            return Err(anyhow!("interrupted").context(Code(INTERRUPTED)));
        }
        Ok(())
    }

    /// Sleeps, unless and until the user asks to stop.
    pub(crate) fn sleep(&self, duration: Duration) -> Result<()> {
        let end = Instant::now() + duration;
        loop {
            self.check()?;
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(Duration::from_millis(100)));
        }
    }
}
