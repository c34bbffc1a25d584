//! `hardway logs`: what systemd's journal holds of a node's components, read through the
//! guest agent: neither a network nor a login is needed, and a cluster that is not up
//! can be asked why.

use std::time::Duration;

use anyhow::{Context, Result, anyhow};

use super::interrupt::Interrupt;
use super::machines;
use super::wait::{tail, words};
use common::report::{INTERRUPTED, Quiet, WithHint};
use common::state::Paths;
use model::plan::{self, NodePlan};
use model::topology::{Node, Topology};
use qemu::agent::Output;
use qemu::process::Running;

/// How long the agent may take to answer.
const ANSWER: Duration = Duration::from_secs(10);

/// Between two looks of `--follow`.
const PAUSE: Duration = Duration::from_secs(1);

/// What journalctl writes before the place where it stopped.
const CURSOR: &str = "-- cursor: ";

/// What to read.
#[derive(Debug)]
pub struct Query {
    pub node: String,
    /// A component; all of the node's without one.
    pub unit: Option<String>,
    /// The last so many entries.
    pub lines: u32,
    /// journalctl's JSON, a line an entry.
    pub json: bool,
}

/// Hands the entries to `print`; with `follow` also those that come, until Ctrl-C.
pub fn logs(
    paths: &Paths,
    topology: &Topology,
    query: &Query,
    follow: bool,
    mut print: impl FnMut(&str) -> Result<()>,
) -> Result<()> {
    let node = machines::named(topology, &query.node)?;
    let plan = plan::plan(topology);
    let plan = plan
        .nodes
        .iter()
        .find(|plan| plan.name == node.name)
        .with_context(|| format!("{} is not planned", node.name))?;
    let journal = Journal {
        paths,
        node,
        units: units(plan, query.unit.as_deref())?,
        json: query.json,
    };
    let read = |place: &Place| {
        journal
            .read(place)
            .with_context(|| format!("cannot read {}'s journal", node.name))
    };
    let mut place = Place::Last(query.lines);
    // Before the first entry, so that Ctrl-C ends it in order whenever it comes.
    let interrupt = follow.then(Interrupt::install).transpose()?;
    let first = read(&place)?;
    print(&first.entries)?;
    let Some(interrupt) = interrupt else {
        if first.entries.is_empty() {
            eprintln!("no entry of {} on {}", journal.units.join(", "), node.name);
        }
        return Ok(());
    };
    first.advance(&mut place);
    let mut silent = false;
    loop {
        if interrupt.sleep(PAUSE).is_err() {
            return Err(Quiet(INTERRUPTED).into());
        }
        match journal.read(&place) {
            Ok(part) => {
                silent = false;
                print(&part.entries)?;
                part.advance(&mut place);
            }
            Err(error) => {
                // A machine that has ended says no more; one that restarts or is paused will.
                machines::needed(paths, node)
                    .with_context(|| format!("no more of {}'s journal", node.name))?;
                if !silent {
                    eprintln!("{}: {}; still trying", node.name, words(&error));
                }
                silent = true;
            }
        }
    }
}

/// The units to read, of those that the node has.
fn units(plan: &NodePlan, wanted: Option<&str>) -> Result<Vec<String>> {
    let all = machines::units(plan);
    let Some(wanted) = wanted else {
        return Ok(all);
    };
    let name = |unit: &str| unit.trim_end_matches(".service").to_owned();
    let found = all.iter().find(|unit| name(unit) == name(wanted));
    let known: Vec<String> = all.iter().map(|unit| name(unit)).collect();
    found
        .map(|unit| vec![unit.clone()])
        .ok_or_else(|| anyhow!("{} runs no component {wanted:?}", plan.name))
        .hint(format!("it has {}", known.join(", ")))
}

/// From where on to read.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// The last so many entries.
    Last(u32),
    /// Behind the entry that journalctl calls so.
    After(String),
}

/// What one look gave.
#[derive(Debug, PartialEq, Eq)]
struct Part {
    entries: String,
    cursor: Option<String>,
}

impl Part {
    fn of(stdout: &str) -> Self {
        let (entries, last) = match stdout.trim_end_matches('\n').rsplit_once('\n') {
            Some((before, last)) => (format!("{before}\n"), last),
            None => (String::new(), stdout.trim_end_matches('\n')),
        };
        match last.strip_prefix(CURSOR) {
            Some(cursor) => Self {
                entries,
                cursor: Some(cursor.to_owned()),
            },
            // journalctl names no place where it has found nothing.
            None => Self {
                entries: stdout.to_owned(),
                cursor: None,
            },
        }
    }

    fn advance(&self, place: &mut Place) {
        if let Some(cursor) = &self.cursor {
            *place = Place::After(cursor.clone());
        }
    }
}

struct Journal<'a> {
    paths: &'a Paths,
    node: &'a Node,
    units: Vec<String>,
    json: bool,
}

impl Journal<'_> {
    fn command(&self, place: &Place) -> Vec<String> {
        let mut command: Vec<String> = ["journalctl", "--quiet", "--no-pager", "--no-hostname"]
            .map(ToOwned::to_owned)
            .into();
        command.push(format!(
            "--output={}",
            if self.json { "json" } else { "short-iso" }
        ));
        command.push("--show-cursor".to_owned());
        command.extend(self.units.iter().map(|unit| format!("--unit={unit}")));
        command.push(match place {
            Place::Last(lines) => format!("--lines={lines}"),
            Place::After(cursor) => format!("--after-cursor={cursor}"),
        });
        command
    }

    fn read(&self, place: &Place) -> Result<Part> {
        let running = machines::reachable(self.paths, self.node)?;
        let output = self.run(&running, place).map_err(|error| {
            // Without the agent the console is all there is to see.
            match tail(&self.paths.node(&self.node.name).serial_log()) {
                Some(tail) => anyhow!(tail).context(words(&error)),
                None => error,
            }
        });
        let output = output.hint(format!(
            "it may still be starting: `hardway console {}` shows what it does",
            self.node.name
        ))?;
        if output.code != 0 {
            return Err(anyhow!(
                "journalctl ended with {}: {}",
                output.code,
                output.stderr.trim()
            ));
        }
        Ok(Part::of(&output.stdout))
    }

    fn run(&self, running: &Running, place: &Place) -> Result<Output> {
        let command = self.command(place);
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        let limit = machines::limits(self.paths)?.command();
        running.agent_within(ANSWER)?.exec(&words, limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_where_journalctl_stopped_is_no_entry() {
        let part = Part::of("one\ntwo\n-- cursor: s=1;i=2\n");
        assert_eq!(
            part,
            Part {
                entries: "one\ntwo\n".to_owned(),
                cursor: Some("s=1;i=2".to_owned()),
            }
        );
        let mut place = Place::Last(10);
        part.advance(&mut place);
        assert_eq!(place, Place::After("s=1;i=2".to_owned()));
        // Nothing new: the place stays.
        Part::of("").advance(&mut place);
        assert_eq!(place, Place::After("s=1;i=2".to_owned()));
        assert_eq!(Part::of("-- cursor: s=3\n").entries, "");
    }
}
