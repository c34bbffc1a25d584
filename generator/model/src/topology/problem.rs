//! All that is wrong with a topology, in one report: each with its place, the
//! reason and a hint, in the order of the files.

use std::fmt;

/// Where a value was written. Ordered as a person reads: cluster.json from top
/// to bottom, then cluster.env, then the environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// Line and column of cluster.json, both from 1, the column in characters.
    Json {
        line: usize,
        column: usize,
    },
    /// Line of cluster.env.
    Env {
        line: usize,
    },
    Environment,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Problem {
    pub(super) place: Place,
    /// What the value is called: `nodes.sigma.address`, `WORKER_MEM`; empty for a whole file.
    pub(super) subject: String,
    pub(super) reason: String,
    pub(super) hint: String,
}

/// The report: at least one problem.
#[derive(Debug)]
pub struct Problems {
    problems: Vec<Problem>,
    json_name: String,
    env_name: String,
}

impl Problems {
    pub(super) fn new(mut problems: Vec<Problem>, json_name: &str, env_name: &str) -> Self {
        problems.sort();
        problems.dedup();
        Self {
            problems,
            json_name: json_name.to_owned(),
            env_name: env_name.to_owned(),
        }
    }

    fn file(&self, place: Place) -> &str {
        match place {
            Place::Json { .. } => &self.json_name,
            Place::Env { .. } => &self.env_name,
            Place::Environment => "the environment",
        }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut files: Vec<&str> = self
            .problems
            .iter()
            .map(|one| self.file(one.place))
            .collect();
        files.dedup();
        let verb = if files.len() == 1 { "has" } else { "have" };
        let plural = if self.problems.len() == 1 { "" } else { "s" };
        let last = files.pop().unwrap_or_default();
        if !files.is_empty() {
            write!(out, "{} and ", files.join(", "))?;
        }
        write!(out, "{last} {verb} {} problem{plural}", self.problems.len())?;
        for problem in &self.problems {
            let file = self.file(problem.place);
            match problem.place {
                Place::Json { line, column } => write!(out, "\n  {file}:{line}:{column}: ")?,
                Place::Env { line } => write!(out, "\n  {file}:{line}: ")?,
                Place::Environment => write!(out, "\n  {file}: ")?,
            }
            if !problem.subject.is_empty() {
                write!(out, "{}: ", problem.subject)?;
            }
            write!(out, "{}\n    hint: {}", problem.reason, problem.hint)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Turns byte offsets of a text into lines and columns.
#[derive(Debug)]
pub(super) struct Lines<'a> {
    text: &'a str,
    /// The offset at which each line begins.
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let after_breaks = text.match_indices('\n').map(|(offset, _)| offset + 1);
        Self {
            text,
            starts: std::iter::once(0).chain(after_breaks).collect(),
        }
    }

    pub(super) fn place(&self, offset: usize) -> Place {
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts[line - 1];
        let before = self.text.get(start..offset).unwrap_or_default();
        Place::Json {
            line,
            column: before.chars().count() + 1,
        }
    }
}

/// The known word that was most likely meant by `written`, if any is near.
pub(super) fn nearest<'a>(written: &str, known: &[&'a str]) -> Option<&'a str> {
    let folded = written.to_lowercase();
    known
        .iter()
        .map(|word| (strsim::jaro_winkler(&folded, &word.to_lowercase()), *word))
        .filter(|(likeness, _)| *likeness >= 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, word)| word)
}

/// `did you mean "x"?`, or all that is known.
pub(super) fn suggest(written: &str, known: &[&str]) -> String {
    match nearest(written, known) {
        Some(word) => format!("did you mean {word:?}?"),
        None => {
            let all: Vec<String> = known.iter().map(|word| format!("{word:?}")).collect();
            match all.as_slice() {
                [only] => format!("write {only}"),
                _ => format!("known are {}", all.join(", ")),
            }
        }
    }
}
