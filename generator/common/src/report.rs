//! How a failure reads: `error:` what failed, `caused by:` the chain, `hint:` what to type next.

use std::fmt;
use std::process::ExitCode;

/// Exit codes, the same for every verb (documented in `hardway help`).
pub const FAILED: u8 = 1;
pub const USAGE: u8 = 2;
pub const INTERRUPTED: u8 = 130;

/// What to do about a failure. Attach it with [`WithHint::hint`]; it is printed
/// last and is no part of the chain of causes. The innermost one wins: who was
/// nearest to the failure knows best.
#[derive(Debug, Clone)]
pub struct Hint(pub String);

impl fmt::Display for Hint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{HINT}{}", self.0)
    }
}

/// How a hint in a chain of causes is told from a cause.
const HINT: &str = "hint: ";

/// A failure that ends the program with a code of its own, e.g. [`INTERRUPTED`].
/// Attach it as a context, like a [`Hint`].
#[derive(Debug, Clone, Copy)]
pub struct Code(pub u8);

impl fmt::Display for Code {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "exit code {}", self.0)
    }
}

/// An end that needs no word, with its code: whoever watched has seen enough.
#[derive(Debug, Clone, Copy)]
pub struct Quiet(pub u8);

impl fmt::Display for Quiet {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "ended")
    }
}

impl std::error::Error for Quiet {}

pub trait WithHint<T> {
    /// Adds the command to type, or the value to change, to an error.
    fn hint(self, hint: impl Into<String>) -> anyhow::Result<T>;
}

impl<T, E: Into<anyhow::Error>> WithHint<T> for Result<T, E> {
    fn hint(self, hint: impl Into<String>) -> anyhow::Result<T> {
        self.map_err(|error| error.into().context(Hint(hint.into())))
    }
}

/// The whole message for `error`, ready for stderr, newline included.
pub fn render(error: &anyhow::Error) -> String {
    let code = error.downcast_ref::<Code>().map(ToString::to_string);
    let (hints, causes): (Vec<String>, Vec<String>) = error
        .chain()
        .map(ToString::to_string)
        .filter(|cause| Some(cause) != code.as_ref())
        .partition(|cause| cause.starts_with(HINT));
    let mut text = String::new();
    for (depth, cause) in causes.iter().enumerate() {
        text += if depth == 0 { "error: " } else { "caused by: " };
        text += cause;
        text.push('\n');
    }
    if let Some(hint) = hints.last() {
        text += hint;
        text.push('\n');
    }
    text
}

/// The code that a failed program ends with.
pub fn exit_code(error: &anyhow::Error) -> ExitCode {
    ExitCode::from(error.downcast_ref::<Code>().map_or(FAILED, |code| code.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn reads_from_the_failure_to_the_cause_to_the_command() {
        let result: anyhow::Result<()> = Err(anyhow::anyhow!("no such file"))
            .context("cannot read cluster.json")
            .hint("run `hardway init`");
        assert_eq!(
            render(&result.unwrap_err()),
            "error: cannot read cluster.json\ncaused by: no such file\nhint: run `hardway init`\n"
        );
    }

    #[test]
    fn a_hint_under_a_context_is_still_last() {
        let inner: anyhow::Result<()> = Err(anyhow::anyhow!("port taken")).hint("choose another");
        let outer = inner.context("cannot start alpha").unwrap_err();
        assert_eq!(
            render(&outer),
            "error: cannot start alpha\ncaused by: port taken\nhint: choose another\n"
        );
    }

    #[test]
    fn of_two_hints_the_one_nearest_to_the_failure_is_told() {
        let inner: anyhow::Result<()> = Err(anyhow::anyhow!("not found")).hint("apt install qemu");
        let outer = inner
            .context("cannot start alpha")
            .hint("look at the log")
            .unwrap_err();
        assert_eq!(
            render(&outer),
            "error: cannot start alpha\ncaused by: not found\nhint: apt install qemu\n"
        );
    }
}
