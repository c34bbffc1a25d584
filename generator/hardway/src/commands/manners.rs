//! The manners of what changes machines or disks: `--dry-run` and `--json`, and a yes before
//! something is lost for good.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::confirm::{self, Question};
use super::print;
use crate::ops::would::Would;

/// How to look before, and to read after.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct Look {
    /// Change nothing; say what would be done, and what would be lost
    #[arg(long)]
    pub dry_run: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

/// The same for what may be lost for good.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct Manners {
    #[command(flatten)]
    pub look: Look,
    /// Do not ask before something is lost for good
    #[arg(long)]
    pub yes: bool,
}

impl Look {
    /// Whether the verb is to do its work; a dry run is over with this. `nothing`: what
    /// there is to say where there is nothing to do.
    pub(super) fn goes_on(
        self,
        nothing: &str,
        look: impl FnOnce() -> Result<Would>,
    ) -> Result<bool> {
        if self.dry_run {
            self.show(nothing, &look()?)?;
        }
        Ok(!self.dry_run)
    }

    fn show(self, nothing: &str, would: &Would) -> Result<()> {
        if self.json {
            let mut value = serde_json::to_value(would).context("cannot write JSON")?;
            value["dryRun"] = json!(true);
            return print::json(&value);
        }
        match would.text() {
            text if text.is_empty() => print::text(&format!("nothing to do: {nothing}\n")),
            text => print::text(&text),
        }
    }

    /// What was done, in one of the two ways.
    pub(super) fn tell(self, text: &str, mut value: Value) -> Result<()> {
        if !self.json {
            return print::text(text);
        }
        value["dryRun"] = json!(false);
        print::json(&value)
    }
}

impl Manners {
    /// As [`Look::goes_on`]; where something would be lost, only after a yes. `what` of
    /// "to `what`", and the command with which nobody is asked.
    pub(super) fn goes_on(
        self,
        nothing: &str,
        what: &str,
        command: &str,
        look: impl FnOnce() -> Result<Would>,
    ) -> Result<bool> {
        if self.look.dry_run {
            return self.look.goes_on(nothing, look);
        }
        if self.yes {
            return Ok(true);
        }
        let would = look()?;
        if !would.lost.is_empty() {
            confirm::confirm(&Question {
                title: &format!("Lost for good with `hardway {command}`:"),
                targets: &would.lost,
                goal: &format!("to {what}"),
                hint: &format!("say `hardway {command} --yes`; --dry-run says what would be done"),
            })?;
        }
        Ok(true)
    }
}
