//! Results on standard output: colours only where they are wanted, and a reader that
//! has seen enough (`| head`) is no failure.

use std::io::{ErrorKind, Write};

use anyhow::{Context, Result};
use serde::Serialize;

use common::report::Quiet;

/// Prints `text`. Its colours are for a terminal, unless NO_COLOR is set.
pub(super) fn text(text: &str) -> Result<()> {
    let mut out = anstream::stdout().lock();
    gone(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// For programs, over several lines.
pub(super) fn json(value: &impl Serialize) -> Result<()> {
    let written = serde_json::to_string_pretty(value).context("cannot write JSON")?;
    text(&format!("{written}\n"))
}

/// For programs that read again and again: a line a value.
pub(super) fn json_line(value: &impl Serialize) -> Result<()> {
    let written = serde_json::to_string(value).context("cannot write JSON")?;
    text(&format!("{written}\n"))
}

/// Prints bytes as they are, e.g. what clears a terminal.
pub(super) fn raw(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    gone(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

fn gone(written: std::io::Result<()>) -> Result<()> {
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(Quiet(0).into()),
        written => written.context("cannot write the result"),
    }
}
