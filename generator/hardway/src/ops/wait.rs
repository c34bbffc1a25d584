//! Waiting with a limit: what is waited for, what is still missing, and whose
//! log tells why.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use super::interrupt::Interrupt;
use super::progress::seconds;
use common::report::Hint;

/// How many lines of a log go into an error.
const LOG_LINES: usize = 20;

/// Something to wait for.
#[derive(Debug)]
pub(super) struct Wait<'a> {
    /// e.g. "the API server to be ready".
    pub what: &'a str,
    pub limit: Duration,
    pub pause: Duration,
    pub interrupt: &'a Interrupt,
    /// Whose last lines the error shows.
    pub logs: Vec<PathBuf>,
    /// What to do when it was in vain.
    pub hint: Option<String>,
}

/// What one look found.
#[derive(Debug)]
pub(super) enum Look<T> {
    Done(T),
    /// What is still missing, in words.
    Missing(String),
    /// It can't come any more, and why.
    Lost(String),
}

impl Look<()> {
    /// Of a list of what is missing; one that could not be made is missing too: a busy
    /// control plane may be late once, or in the middle of its restart.
    pub(super) fn of(missing: Result<Vec<String>>) -> Self {
        match missing {
            Ok(missing) if missing.is_empty() => Self::Done(()),
            Ok(missing) => Self::Missing(missing.join("; ")),
            Err(error) => Self::Missing(words(&error)),
        }
    }
}

impl Wait<'_> {
    /// Looks again and again; an error of `look` itself ends the wait at once.
    pub(super) fn until<T>(&self, mut look: impl FnMut() -> Result<Look<T>>) -> Result<T> {
        let start = Instant::now();
        loop {
            self.interrupt.check()?;
            let missing = match look()? {
                Look::Done(value) => return Ok(value),
                Look::Missing(missing) => missing,
                Look::Lost(reason) => {
                    return Err(
                        self.failure(format!("no use in waiting for {}", self.what), reason)
                    );
                }
            };
            if start.elapsed() >= self.limit {
                let what = format!("waited {} in vain for {}", seconds(self.limit), self.what);
                return Err(self.failure(what, missing));
            }
            self.interrupt.sleep(self.pause)?;
        }
    }

    /// What failed, the state in which it ended, and under it the logs' last lines.
    fn failure(&self, what: String, state: String) -> anyhow::Error {
        let tails: Vec<String> = self.logs.iter().filter_map(|log| tail(log)).collect();
        let error = if tails.is_empty() {
            anyhow!(state)
        } else {
            anyhow!(tails.join("\n")).context(state)
        };
        let error = error.context(what);
        match &self.hint {
            Some(hint) => error.context(Hint(hint.clone())),
            None => error,
        }
    }
}

/// An error on one line, without its hint: what is still missing may pass.
pub(super) fn words(error: &anyhow::Error) -> String {
    let hint = error.downcast_ref::<Hint>().map(ToString::to_string);
    let causes = error.chain().map(ToString::to_string);
    let causes: Vec<String> = causes
        .filter(|cause| Some(cause) != hint.as_ref())
        .collect();
    causes.join(": ")
}

/// `last lines of FILE:` and those lines; None where there are none.
pub(super) fn tail(log: &Path) -> Option<String> {
    let bytes = std::fs::read(log).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<String> = text
        .lines()
        .map(printable)
        .filter(|line| !line.trim().is_empty())
        .collect();
    let last = &lines[lines.len().saturating_sub(LOG_LINES)..];
    (!last.is_empty()).then(|| {
        format!(
            "last lines of {}:\n    {}",
            log.display(),
            last.join("\n    ")
        )
    })
}

/// Drops terminal escape sequences and other control characters: a guest's
/// console must not steer the user's terminal.
pub(super) fn printable(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line.chars().peekable();
    while let Some(c) = rest.next() {
        if c == '\u{1b}' {
            // CSI: up to a letter. OSC (titles): up to BEL. Others: two characters.
            match rest.next() {
                Some('[') => {
                    rest.by_ref().find(char::is_ascii_alphabetic);
                }
                Some(']') => {
                    rest.by_ref().find(|&c| c == '\u{7}');
                }
                _ => {}
            }
        } else if !c.is_control() || c == '\t' {
            text.push(c);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::report::render;

    fn wait<'a>(interrupt: &'a Interrupt, logs: Vec<PathBuf>) -> Wait<'a> {
        Wait {
            what: "the API server to be ready",
            limit: Duration::from_millis(30),
            pause: Duration::from_millis(5),
            interrupt,
            logs,
            hint: None,
        }
    }

    #[test]
    fn a_wait_in_vain_says_for_what_and_shows_the_log() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("serial.log");
        let lines: Vec<String> = (1..=30)
            .map(|n| format!("\u{1b}[0;32mline {n}\u{1b}[0m\r"))
            .collect();
        std::fs::write(&log, lines.join("\n")).unwrap();
        let interrupt = Interrupt::none();
        let result: Result<()> = wait(&interrupt, vec![log])
            .until(|| Ok(Look::Missing("connection refused".to_owned())));
        let text = render(&result.unwrap_err());
        assert!(
            text.starts_with(
                "error: waited 0.0 s in vain for the API server to be ready\n\
                 caused by: connection refused\ncaused by: last lines of "
            ),
            "{text}"
        );
        assert!(text.contains("line 11\n    line 12\n"), "{text}");
        assert!(!text.contains("line 10\n"), "{text}");
        assert!(!text.contains('\u{1b}') && !text.contains('\r'), "{text:?}");
    }

    #[test]
    fn a_lost_wait_ends_before_its_limit() {
        let interrupt = Interrupt::none();
        let mut wait = wait(&interrupt, Vec::new());
        wait.limit = Duration::from_secs(60);
        let result: Result<()> = wait.until(|| Ok(Look::Lost("alpha's QEMU has ended".to_owned())));
        assert_eq!(
            render(&result.unwrap_err()),
            "error: no use in waiting for the API server to be ready\n\
             caused by: alpha's QEMU has ended\n"
        );
    }
}
