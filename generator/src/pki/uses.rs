//! Who reads a file of the PKI: on which node, and which of its components.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use serde_json::json;

use crate::plan::{NodePlan, PKI_FOLDER, Plan};

/// One node's readers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Use {
    pub node: String,
    pub components: Vec<String>,
}

impl fmt::Display for Use {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.node, self.components.join(", "))
    }
}

/// Which components name which file: by node, then by the file's name.
pub(super) struct Readers<'a>(Vec<(&'a NodePlan, BTreeMap<&'a str, Vec<&'a str>>)>);

impl<'a> Readers<'a> {
    pub(super) fn of(plan: &'a Plan) -> Self {
        let node = |node: &'a NodePlan| {
            let written: Vec<(&str, String)> = node
                .components
                .iter()
                .map(|(name, component)| {
                    let config = component.config.as_ref().map(|config| &config.value);
                    (name.as_str(), json!([component.flags, config]).to_string())
                })
                .collect();
            let files = node.pki.keys().map(|file| {
                let path = format!("{PKI_FOLDER}/{file}");
                let readers = written.iter().filter(|(_, text)| text.contains(&path));
                (file.as_str(), readers.map(|(name, _)| *name).collect())
            });
            (node, files.collect())
        };
        Self(plan.nodes.iter().map(node).collect())
    }

    /// Of all these files together.
    pub(super) fn read(&self, files: &[String]) -> Vec<Use> {
        let of_node = |(node, readers): &(&NodePlan, BTreeMap<&str, Vec<&str>>)| {
            let mut components: Vec<String> = files
                .iter()
                .filter_map(|file| readers.get(file.as_str()))
                .flatten()
                .map(|name| (*name).to_owned())
                .collect();
            components.sort();
            components.dedup();
            (!components.is_empty()).then(|| Use {
                node: node.name.to_string(),
                components,
            })
        };
        self.0.iter().filter_map(of_node).collect()
    }
}

/// All files that hold a certificate of this name, or its key.
pub(super) fn files(plan: &Plan, name: &str) -> Vec<String> {
    let kubeconfigs = plan
        .kubeconfigs
        .iter()
        .filter(|kubeconfig| kubeconfig.certificate == name)
        .map(|kubeconfig| format!("{}.kubeconfig", kubeconfig.name));
    [format!("{name}.pem"), format!("{name}-key.pem")]
        .into_iter()
        .chain(kubeconfigs)
        .collect()
}
