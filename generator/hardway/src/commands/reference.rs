//! `hardway reference`: what the repository keeps of the command line's own definition, so
//! that a document or a flake's output never differs from `--help`. For scripts/regenerate.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Arg, Command, CommandFactory, ValueEnum};
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
    let text = help_markdown_command_custom(&complete(command.clone(), ""), &options);
    text.trim_end().lines().map(escaped).collect()
}

/// The command with what clap-markdown leaves out of `--help`, or says twice. `parents` is what
/// comes before its name, with a space at the end.
fn complete(command: Command, parents: &str) -> Command {
    // It puts the parents before a usage of our own too.
    let usage = command.clone().render_usage().to_string();
    let own = usage
        .strip_prefix("Usage: ")
        .and_then(|usage| usage.strip_prefix(parents))
        .filter(|_| !parents.is_empty())
        .map(str::to_owned);
    let path = format!("{parents}{} ", command.get_name());
    let command = command
        .mut_args(documented)
        .mut_subcommands(|verb| complete(verb, &path));
    match own {
        Some(usage) => command.override_usage(usage),
        None => command,
    }
}

/// The argument with all of its values' names, of which it shows the first, and its variable.
fn documented(arg: Arg) -> Arg {
    let names = arg.get_value_names().unwrap_or_default();
    let names: Vec<&str> = names.iter().map(clap::builder::Str::as_str).collect();
    let names = (names.len() > 1).then(|| names.join("> <"));
    let help = arg.get_env().zip(arg.get_help()).map(|(variable, help)| {
        let variable = variable.to_string_lossy();
        format!("{help} [env: `{variable}`]")
    });
    let arg = match names {
        // clap takes names that live as long as the program, which this is the last act of.
        Some(names) => arg.value_name(&*names.leak()),
        None => arg,
    };
    match help {
        Some(help) => arg.help(help),
        None => arg,
    }
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

    /// All of the command's own verbs, and itself.
    fn all(command: &Command) -> Vec<&Command> {
        let below = command.get_subcommands().flat_map(all);
        [command].into_iter().chain(below).collect()
    }

    #[test]
    fn a_usage_names_the_program_once() {
        let text = markdown(&Cli::command());
        let usages: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("**Usage:** `"))
            .collect();
        assert!(usages.len() > 30, "{usages:#?}");
        for usage in usages {
            let first = usage.split('|').next().unwrap_or_default();
            assert_eq!(first.matches("hardway").count(), 1, "{usage}");
        }
    }

    #[test]
    fn an_option_shows_all_its_values_and_its_variable() {
        let cli = Cli::command();
        let text = markdown(&cli);
        let (mut several, mut variables) = (0, 0);
        for arg in all(&cli).iter().flat_map(|verb| verb.get_arguments()) {
            let Some(long) = arg.get_long() else { continue };
            let names = arg.get_value_names().unwrap_or_default();
            if names.len() > 1 {
                let shown: Vec<String> = names.iter().map(|name| format!("<{name}>")).collect();
                let shown = format!("`--{long} {}`", shown.join(" "));
                assert!(text.contains(&shown), "{shown}");
                several += 1;
            }
            if let Some(variable) = arg.get_env() {
                let variable = variable.to_string_lossy();
                assert!(text.contains(&format!("[env: `{variable}`]")), "{variable}");
                variables += 1;
            }
        }
        assert!(several > 0 && variables > 0, "{several}, {variables}");
    }

    /// A flake's output for each: see apps.nix.
    #[test]
    fn the_apps_are_the_verbs() {
        let written = include_str!("../../../apps.json");
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
