//! Who reads a file of the PKI: on which node, and which of its components.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use serde::Serialize;
use serde_json::json;

use model::plan::{PKI_FOLDER, Plan};

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

/// Which components name which file, and on which nodes.
pub(super) struct Readers<'a> {
    plan: &'a Plan,
    /// File → place of the node in the plan, and the component.
    of_file: HashMap<&'a str, Vec<(usize, &'a str)>>,
}

impl<'a> Readers<'a> {
    pub(super) fn of(plan: &'a Plan) -> Self {
        let mut of_file: HashMap<&str, Vec<(usize, &str)>> = HashMap::new();
        for (place, node) in plan.nodes.iter().enumerate() {
            for (name, component) in &node.components {
                let config = component.config.as_ref().map(|config| &config.value);
                let text = json!([component.flags, config]).to_string();
                for file in node.pki.keys() {
                    if text.contains(&format!("{PKI_FOLDER}/{file}")) {
                        of_file.entry(file).or_default().push((place, name));
                    }
                }
            }
        }
        Self { plan, of_file }
    }

    /// Of all these files together.
    pub(super) fn read(&self, files: &[String]) -> Vec<Use> {
        let mut by_node: BTreeMap<usize, BTreeSet<&str>> = BTreeMap::new();
        let readers = files.iter().filter_map(|file| self.of_file.get(&**file));
        for (place, component) in readers.flatten() {
            by_node.entry(*place).or_default().insert(component);
        }
        let uses = by_node.into_iter().map(|(place, components)| Use {
            node: self.plan.nodes[place].name.to_string(),
            components: components.into_iter().map(str::to_owned).collect(),
        });
        uses.collect()
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
