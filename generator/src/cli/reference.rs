//! `hardway reference`: what the repository keeps of the command line's own definition, so
//! that a document or a flake's output never differs from `--help`. For scripts/regenerate.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Command, CommandFactory, ValueEnum};
use clap_markdown::{MarkdownOptions, help_markdown_command_custom};

use super::{Cli, Global, print};

/// Print what the repository keeps of the command line's definition
#[derive(Debug, clap::Args)]
#[command(hide = true)]
pub(super) struct Args {
    #[arg(value_enum)]
    what: What,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum What {
    /// docs/cli.md: every verb with its usage and flags, as Markdown
    Cli,
    /// generator/apps.json: the verbs that people call, each with its one line
    Apps,
}

pub(super) fn run(_global: &Global, args: &Args) -> Result<ExitCode> {
    let command = Cli::command();
    match args.what {
        What::Cli => print::raw(&markdown(&command))?,
        What::Apps => print::json(&apps(&command))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Every verb that `--help` lists, and its one line.
fn apps(command: &Command) -> BTreeMap<String, String> {
    command
        .get_subcommands()
        .filter(|verb| !verb.is_hide_set())
        .map(|verb| {
            let about = verb.get_about().map(ToString::to_string);
            (verb.get_name().to_owned(), about.unwrap_or_default())
        })
        .collect()
}

fn markdown(command: &Command) -> String {
    let options = MarkdownOptions::new()
        .title("Every verb of hardway".to_owned())
        .show_footer(false)
        .show_table_of_contents(true);
    let text = help_markdown_command_custom(command, &options);
    text.trim_end().lines().map(escaped).collect()
}

/// The line with `<` as text outside of code: Markdown would take `<node>` for a tag.
fn escaped(line: &str) -> String {
    let parts = line.split('`').enumerate();
    let parts: Vec<String> = parts
        .map(|(index, part)| match index % 2 {
            0 => part.replace('<', "\\<"),
            _ => part.to_owned(),
        })
        .collect();
    format!("{}\n", parts.join("`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_placeholder_is_no_tag() {
        assert_eq!(
            escaped("* `<DIR>` in hosts/<node>/"),
            "* `<DIR>` in hosts/\\<node>/\n"
        );
    }

    /// A flake's output for each: see apps.nix.
    #[test]
    fn the_apps_are_the_verbs() {
        let written = include_str!("../../apps.json");
        let apps = apps(&Cli::command());
        assert!(apps.contains_key("kubectl") && !apps.contains_key("reference"));
        assert!(apps.values().all(|about| !about.is_empty()), "{apps:#?}");
        assert_eq!(
            written,
            format!("{}\n", serde_json::to_string_pretty(&apps).unwrap()),
            "run scripts/regenerate"
        );
    }
}
