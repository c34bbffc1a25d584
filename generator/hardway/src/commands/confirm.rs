//! A typed yes before something is gone for good.

use std::io::{IsTerminal, Write};

use anyhow::{Context, Result, anyhow};

use common::report::{Code, USAGE, WithHint};

/// What is asked.
pub(super) struct Question<'a> {
    /// The line above the targets.
    pub title: &'a str,
    /// What goes, in words.
    pub targets: &'a [String],
    /// What the yes is for, e.g. `to go on`.
    pub goal: &'a str,
    /// What to type where nobody can be asked.
    pub hint: &'a str,
}

/// Fails unless a person at the terminal types yes.
pub(super) fn confirm(question: &Question<'_>) -> Result<()> {
    eprintln!("{}", question.title);
    for target in question.targets {
        eprintln!("  {target}");
    }
    if !std::io::stdin().is_terminal() {
        return Err(anyhow!("nobody is there to confirm it").context(Code(USAGE)))
            .hint(question.hint);
    }
    eprint!("Type yes {}: ", question.goal);
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    std::io::stdin()
        .read_line(&mut answer)
        .context("cannot read the answer")?;
    if answer.trim() != "yes" {
        return Err(anyhow!("not confirmed: nothing was changed"));
    }
    Ok(())
}
