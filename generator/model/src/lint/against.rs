//! Asks programs at hand themselves: each is given a node's own command line and
//! `--help`, so that its parser judges every flag and value, and nothing starts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rayon::prelude::*;
use serde_json::Value;

use super::Emitted;
use super::finding::{self, Finding, Severity};
use super::judge::nearest;

/// Help takes a fraction of a second; a program that does something else is ended.
const LIMIT: Duration = Duration::from_secs(20);

/// What the programs said.
#[derive(Debug, Default)]
pub struct Asked {
    pub findings: Vec<Finding>,
    /// Programs that answered.
    pub asked: BTreeSet<String>,
    /// Programs that `dir` does not have.
    pub missing: BTreeSet<String>,
}

/// A command line, and the nodes that have the very same.
type Question<'a> = (Emitted<'a>, BTreeSet<String>);

/// Asks the programs in `dir` about everything that is emitted.
pub fn ask<'a>(dir: &Path, emitted: impl IntoIterator<Item = Emitted<'a>>) -> Result<Asked> {
    let mut result = Asked::default();
    let mut questions: BTreeMap<(&str, &str, Vec<String>), Question<'a>> = BTreeMap::new();
    for one in emitted {
        if !dir.join(one.program).is_file() {
            result.missing.insert(one.program.to_owned());
            continue;
        }
        result.asked.insert(one.program.to_owned());
        let line = arguments(&flags(one));
        questions
            .entry((one.program, one.component, line))
            .or_insert((one, BTreeSet::new()))
            .1
            .insert(one.node.to_owned());
    }
    let questions: Vec<Question<'_>> = questions.into_values().collect();
    let answers: Vec<Vec<Finding>> = questions
        .into_par_iter()
        .map(|question| answer(dir, &question))
        .collect::<Result<_>>()?;
    result.findings = finding::merged(answers.into_iter().flatten());
    Ok(result)
}

/// What a component's flags say, without those that are dropped.
fn flags(one: Emitted<'_>) -> BTreeMap<&str, String> {
    one.flags
        .iter()
        .filter_map(|(name, value)| Some((name.as_str(), text(value)?)))
        .collect()
}

fn arguments(flags: &BTreeMap<&str, String>) -> Vec<String> {
    flags
        .iter()
        .map(|(name, value)| format!("--{name}={value}"))
        .collect()
}

fn answer(dir: &Path, (one, nodes): &Question<'_>) -> Result<Vec<Finding>> {
    let program = dir.join(one.program);
    let mut findings = Vec::new();
    let mut left = flags(*one);
    let say = |severity, flag: &str, reason, hint| Finding {
        severity,
        component: one.component.to_owned(),
        item: format!("--{flag}"),
        reason,
        hint,
        nodes: nodes.clone(),
    };
    // A parser stops at the first flag that it does not take: without that, ask again.
    loop {
        let output = run(&program, &left)?;
        let words = format!(
            "{}\n{}",
            String::from_utf8_lossy(&output.stderr),
            String::from_utf8_lossy(&output.stdout)
        );
        let Some((flag, line)) = refused(&words, &left.keys().copied()) else {
            if !output.status.success() {
                bail!(
                    "{} does not give its help: {}",
                    program.display(),
                    words.trim().lines().last().unwrap_or("it says nothing")
                );
            }
            for (flag, words) in deprecated(&words, left.keys().copied()) {
                findings.push(say(
                    Severity::Warning,
                    flag,
                    format!("is deprecated: {words}"),
                    None,
                ));
            }
            return Ok(findings);
        };
        let unknown = line.contains("unknown flag") || line.contains("not defined");
        let hint = if unknown {
            let help = run(&program, &BTreeMap::new())?;
            let help = format!(
                "{}{}",
                String::from_utf8_lossy(&help.stdout),
                String::from_utf8_lossy(&help.stderr)
            );
            nearest(flag, listed(&help).into_iter()).map(|near| format!("did you mean --{near}?"))
        } else {
            None
        };
        findings.push(say(
            Severity::Error,
            flag,
            format!("{} says: {line}", program.display()),
            hint,
        ));
        left.remove(flag);
    }
}

/// A value as the unit's command line carries it (modules/render/flags.nix); null drops a flag.
pub fn text(value: &Value) -> Option<String> {
    let list = |parts: Vec<String>| Some(parts.join(","));
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Array(items) => list(items.iter().filter_map(text).collect()),
        Value::Object(pairs) => list(
            pairs
                .iter()
                .filter_map(|(key, value)| Some(format!("{key}={}", text(value)?)))
                .collect(),
        ),
        other => Some(other.to_string()),
    }
}

fn run(program: &Path, flags: &BTreeMap<&str, String>) -> Result<Output> {
    let mut arguments = arguments(flags);
    arguments.push("--help".to_owned());
    let child = duct::cmd(program, arguments)
        .stdin_null()
        .stdout_capture()
        .stderr_capture()
        .unchecked()
        .start()
        .with_context(|| format!("cannot start {}", program.display()))?;
    let output = child
        .wait_timeout(LIMIT)
        .with_context(|| format!("cannot wait for {}", program.display()))?
        .cloned();
    match output {
        Some(output) => Ok(output),
        None => {
            child
                .kill()
                .with_context(|| format!("cannot end {}", program.display()))?;
            bail!(
                "{} --help did not end within {} s",
                program.display(),
                LIMIT.as_secs()
            )
        }
    }
}

/// The flag that the program refused and its line about it: pflag's (Kubernetes),
/// Go's own (etcd) or urfave/cli's (containerd) words.
fn refused<'a>(
    words: &str,
    flags: &(impl Iterator<Item = &'a str> + Clone),
) -> Option<(&'a str, String)> {
    words.lines().find_map(|line| {
        let line = line.trim();
        let flag = flags.clone().find(|flag| {
            names(line, &format!("unknown flag: --{flag}"))
                || names(line, &format!("not defined: -{flag}"))
                || line.contains(&format!("for \"--{flag}\" flag:"))
                || line.starts_with("invalid ")
                    && (line.contains(&format!(" for flag -{flag}:"))
                        || line.contains(&format!(" for -{flag}:")))
        })?;
        // Past a log's prefix.
        let start = ["unknown flag", "flag provided", "invalid "]
            .iter()
            .filter_map(|words| line.find(words))
            .min()
            .unwrap_or(0);
        Some((flag, line[start..].trim_end_matches('"').to_owned()))
    })
}

/// Whether the line has `words`, and not only the start of a longer name.
fn names(line: &str, words: &str) -> bool {
    line.match_indices(words).any(|(start, _)| {
        let after = line[start + words.len()..].chars().next();
        !after.is_some_and(|c| c.is_ascii_alphanumeric() || c == '-')
    })
}

/// pflag's `Flag --x has been deprecated, words`.
fn deprecated<'a, 'w>(
    words: &'w str,
    flags: impl Iterator<Item = &'a str>,
) -> Vec<(&'a str, &'w str)> {
    flags
        .filter_map(|flag| {
            let start = format!("Flag --{flag} has been deprecated, ");
            let said = words
                .lines()
                .find_map(|line| line.trim().strip_prefix(&start))?;
            Some((flag, said))
        })
        .collect()
}

/// Every flag that a help text lists.
fn listed(help: &str) -> Vec<&str> {
    help.lines()
        .filter_map(|line| {
            let line = line.trim_start();
            let (_, rest) = line.starts_with('-').then(|| line.split_once("--"))??;
            let end = rest
                .find(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
                .unwrap_or(rest.len());
            rest.get(..end)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLAGS: [&str; 4] = ["port", "secure-port", "memory-mlock", "address"];

    /// The programs' own words, as they said them.
    #[test]
    fn each_parsers_refusal_is_understood() {
        for (words, flag) in [
            // kube-apiserver, kubelet
            ("Error: unknown flag: --port\nSee 'x --help'", Some("port")),
            (
                "E0101 run.go:72] \"command failed\" err=\"failed to parse kubelet flag: unknown flag: --port\"",
                Some("port"),
            ),
            (
                "Error: invalid argument \"x\" for \"--secure-port\" flag: strconv.ParseInt: parsing \"x\"",
                Some("secure-port"),
            ),
            // etcd
            ("flag provided but not defined: -port\nUsage:", Some("port")),
            (
                "invalid boolean value \"x\" for -memory-mlock: parse error",
                Some("memory-mlock"),
            ),
            (
                "invalid value \"x\" for flag -secure-port: parse error",
                Some("secure-port"),
            ),
            // containerd
            (
                "Incorrect Usage: flag provided but not defined: -address",
                Some("address"),
            ),
            // help, and a flag of another's that ends alike
            ("      --port int   The port", None),
            ("unknown flag: --insecure-port", None),
        ] {
            let found = refused(words, &FLAGS.into_iter());
            assert_eq!(found.map(|(flag, _)| flag), flag, "{words}");
        }
    }

    #[test]
    fn deprecation_is_told_in_the_programs_words() {
        let words = "Flag --port has been deprecated, use --secure-port\nThe kubelet is …";
        assert_eq!(
            deprecated(words, FLAGS.into_iter()),
            [("port", "use --secure-port")]
        );
    }

    #[test]
    fn every_flag_of_a_help_text_is_listed() {
        let help = "Usage:\n  x [flags]\n      --secure-port int   The port (see --address)\n  -v, --v Level   level\n   --name 'default'\n";
        assert_eq!(listed(help), ["secure-port", "v", "name"]);
    }

    #[test]
    fn values_are_written_as_in_the_unit() {
        let value = serde_json::json!({ "B": true, "A": ["x", 1] });
        assert_eq!(text(&value).as_deref(), Some("A=x,1,B=true"));
        assert_eq!(text(&Value::Null), None);
    }
}
