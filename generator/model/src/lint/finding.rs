//! What the linter says of one flag or field.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Error,
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        })
    }
}

/// Ordered as it is printed: errors first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    pub severity: Severity,
    /// The component's name, e.g. `kubelet`.
    pub component: String,
    /// The flag (`--v`), or the configuration and its field (`KubeletConfiguration: port`).
    pub item: String,
    pub reason: String,
    /// What to write instead.
    pub hint: Option<String>,
    /// Every node of which it is true.
    pub nodes: BTreeSet<String>,
}

impl Finding {
    /// The finding in a line, without its severity and hint.
    pub fn line(&self) -> String {
        const SHOWN: usize = 3;
        let mut nodes: Vec<&str> = self.nodes.iter().map(String::as_str).take(SHOWN).collect();
        let more = format!("{} more", self.nodes.len().saturating_sub(SHOWN));
        if self.nodes.len() > SHOWN {
            nodes.push(&more);
        }
        format!(
            "{}: {} {}: {}",
            nodes.join(", "),
            self.component,
            self.item,
            self.reason
        )
    }
}

/// One finding for all the nodes of which it is true, sorted.
pub fn merged(findings: impl IntoIterator<Item = Finding>) -> Vec<Finding> {
    let mut all: BTreeMap<Finding, BTreeSet<String>> = BTreeMap::new();
    for mut finding in findings {
        let nodes = std::mem::take(&mut finding.nodes);
        all.entry(finding).or_default().extend(nodes);
    }
    all.into_iter()
        .map(|(finding, nodes)| Finding { nodes, ..finding })
        .collect()
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.severity, self.line())?;
        match &self.hint {
            Some(hint) => write!(out, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}
