//! Flags and fields against the tables.

use std::collections::BTreeSet;

use anyhow::Result;
use serde_json::Value;

use super::Emitted;
use super::finding::{self, Finding, Severity};
use crate::tables::{self, Remark, Tables};

/// What was looked at, and what is to be said of it.
#[derive(Debug, Default)]
pub struct Judgement {
    pub nodes: BTreeSet<String>,
    pub flags: usize,
    pub fields: usize,
    /// Sorted, errors first; one that is true of several nodes is there once.
    pub findings: Vec<Finding>,
}

/// Holds what nodes emit against the tables.
pub fn judge<'a>(
    tables: &Tables,
    emitted: impl IntoIterator<Item = Emitted<'a>>,
) -> Result<Judgement> {
    let mut judge = Judge {
        tables,
        judgement: Judgement::default(),
    };
    for one in emitted {
        judge.judgement.nodes.insert(one.node.to_owned());
        judge.flags(one)?;
        if let Some(config) = one.config {
            judge.config(one, config);
        }
    }
    let mut judgement = judge.judgement;
    judgement.findings = finding::merged(judgement.findings);
    Ok(judgement)
}

struct Judge<'t> {
    tables: &'t Tables,
    judgement: Judgement,
}

impl Judge<'_> {
    fn say(
        &mut self,
        one: Emitted<'_>,
        severity: Severity,
        item: String,
        reason: String,
        hint: Option<String>,
    ) {
        let finding = Finding {
            severity,
            component: one.component.to_owned(),
            item,
            reason,
            hint,
            nodes: BTreeSet::from([one.node.to_owned()]),
        };
        self.judgement.findings.push(finding);
    }

    fn flags(&mut self, one: Emitted<'_>) -> Result<()> {
        let Some(known) = self.tables.flags.get(one.program) else {
            self.say(
                one,
                Severity::Warning,
                one.program.to_owned(),
                "there is no table of this program: its flags are not checked".to_owned(),
                None,
            );
            return Ok(());
        };
        // A null drops a flag.
        for (flag, value) in one.flags.iter().filter(|(_, value)| !value.is_null()) {
            self.judgement.flags += 1;
            let item = format!("--{flag}");
            let Some(entry) = known.get(flag) else {
                let release = self.tables.release(one.program);
                let (reason, hint) = match tables::gone(one.program, flag)? {
                    Some(gone) => (
                        format!("{release} has no such flag: {} dropped it", gone.since),
                        gone.instead.clone(),
                    ),
                    None => (
                        format!("{release} has no such flag"),
                        nearest(flag, known.keys().map(String::as_str))
                            .map(|near| format!("did you mean --{near}?")),
                    ),
                };
                self.say(one, Severity::Error, item, reason, hint);
                continue;
            };
            if let Some(words) = &entry.deprecated {
                self.say(
                    one,
                    Severity::Warning,
                    item.clone(),
                    format!("is deprecated: {words}"),
                    None,
                );
            }
            if let Some(words) = entry.kind.refuses_flag(value) {
                self.say(one, Severity::Error, item, words, None);
            }
        }
        Ok(())
    }

    fn config(&mut self, one: Emitted<'_>, config: &Value) {
        let kind = config["kind"].as_str();
        let name = kind.unwrap_or("configuration").to_owned();
        let Some(table) = self.tables.config(one.program, kind) else {
            self.say(
                one,
                Severity::Warning,
                name,
                "there is no table of this configuration: its fields are not checked".to_owned(),
                None,
            );
            return;
        };
        let release = self.tables.release(one.program);
        if let Some(wanted) = &table.api_version
            && config["apiVersion"].as_str() != Some(wanted)
        {
            let found = &config["apiVersion"];
            self.say(
                one,
                Severity::Error,
                format!("{name}: apiVersion"),
                format!("is {found}, but the table is of {wanted:?}"),
                Some(format!("write {wanted:?}")),
            );
            return;
        }
        let (seen, remarks) = table.fields.judge(config);
        self.judgement.fields += seen;
        for (path, remark) in remarks {
            let item = format!("{name}: {path}");
            match remark {
                Remark::Unknown(known) => {
                    let last = path
                        .rsplit_once('.')
                        .map_or(path.as_str(), |(_, last)| last);
                    let hint = nearest(last.trim_matches('"'), known.into_iter())
                        .map(|near| format!("did you mean {near}?"));
                    self.say(
                        one,
                        Severity::Error,
                        item,
                        format!("{release} has no such field"),
                        hint,
                    );
                }
                Remark::Deprecated(words) => {
                    self.say(
                        one,
                        Severity::Warning,
                        item,
                        format!("is deprecated: {words}"),
                        None,
                    );
                }
                Remark::Refused(words) => self.say(one, Severity::Error, item, words, None),
            }
        }
    }
}

/// The known name that was most likely meant, if any is near.
pub fn nearest<'a>(written: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|name| (strsim::jaro_winkler(written, name), name))
        .filter(|(likeness, _)| *likeness >= 0.85)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}
