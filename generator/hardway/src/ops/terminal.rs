//! A terminal that shows moving lines, and keys pressed meanwhile.
//!
//! `^C`, which the terminal itself shows for Ctrl-C, would push the moving lines up
//! by one, and the topmost would stay behind for good.

use std::io::{Stderr, Stdin};

use rustix::io::Errno;
use rustix::process::getpgrp;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr};

/// Keeps standard error's terminal from showing control characters, until it is dropped.
#[derive(Debug)]
pub(super) struct Quiet {
    terminal: Stderr,
    before: Termios,
}

impl Quiet {
    /// None where there is no terminal, or one that is not ours.
    pub(super) fn new() -> Option<Self> {
        let terminal = std::io::stderr();
        let before = tcgetattr(&terminal).ok()?;
        let mut modes = before.clone();
        modes.local_modes.remove(LocalModes::ECHOCTL);
        ours(&terminal).then(|| tcsetattr(&terminal, OptionalActions::Now, &modes).ok())??;
        Some(Self { terminal, before })
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        if ours(&self.terminal) {
            let _ = tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
        }
    }
}

/// Whether we are in the foreground: who changes a terminal from the background is stopped.
fn ours(terminal: &Stderr) -> bool {
    tcgetpgrp(terminal).is_ok_and(|group| group == getpgrp())
}

/// Standard input's terminal, handing on every key as it is pressed, until it is dropped:
/// also when a panic unwinds.
#[derive(Debug)]
pub(super) struct Raw {
    terminal: Stdin,
    before: Termios,
}

impl Raw {
    pub(super) fn new() -> Result<Self, Errno> {
        let terminal = std::io::stdin();
        let before = tcgetattr(&terminal)?;
        let mut modes = before.clone();
        modes.make_raw();
        tcsetattr(&terminal, OptionalActions::Drain, &modes)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = tcsetattr(&self.terminal, OptionalActions::Drain, &self.before);
    }
}
