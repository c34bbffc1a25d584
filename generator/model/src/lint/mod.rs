//! Holds what a node emits against what the pinned programs know: a flag or a
//! field that they don't know keeps a component from starting (or, with
//! containerd, is ignored), and is an error; a deprecated one is a warning.

mod against;
mod finding;
mod judge;

use std::collections::BTreeMap;

use anyhow::{Result, anyhow};
use serde_json::Value;

use crate::plan::Plan;
use crate::tables::Tables;
use crate::topology::Topology;
use common::report::WithHint;

pub use against::text as flag_text;
pub use against::{Asked, ask};
pub use finding::{Finding, Severity, merged};
pub use judge::nearest;
pub use judge::{Judgement, judge};

/// One component of one node: what its program is started with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Emitted<'a> {
    pub node: &'a str,
    pub component: &'a str,
    /// The program's name, which the tables go by.
    pub program: &'a str,
    pub flags: &'a BTreeMap<String, Value>,
    pub config: Option<&'a Value>,
}

/// Everything that a plan emits.
pub fn planned(plan: &Plan) -> Vec<Emitted<'_>> {
    let nodes = plan.nodes.iter();
    nodes
        .flat_map(|node| {
            node.components.iter().map(|(name, component)| Emitted {
                node: node.name.as_str(),
                component: name,
                program: &component.command,
                flags: &component.flags,
                config: component.config.as_ref().map(|config| &config.value),
            })
        })
        .collect()
}

/// Refuses a plan that the pinned programs would refuse; gives the warnings otherwise.
pub fn refuse(topology: &Topology, plan: &Plan) -> Result<Vec<Finding>> {
    let tables = Tables::of(&topology.kubernetes_version)?;
    let findings = judge(tables, planned(plan))?.findings;
    let (errors, warnings): (Vec<_>, Vec<_>) = findings
        .into_iter()
        .partition(|finding| finding.severity == Severity::Error);
    if errors.is_empty() {
        return Ok(warnings);
    }
    let lines: String = errors
        .iter()
        .map(|error| format!("\n  {}", error.line()))
        .collect();
    Err(anyhow!(
        "Kubernetes {} and its programs would not take what the nodes emit{lines}",
        topology.kubernetes_version
    ))
    .hint("nothing was written; `hardway lint` says more")
}

#[cfg(test)]
mod tests;
