//! What a plan emits, turned round: by component and flag, with the value of each node.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value as Json;

use crate::lint::flag_text;
use crate::plan::Plan;

/// A component, wherever it runs.
#[derive(Debug, Clone, Serialize)]
pub struct Component {
    pub name: String,
    pub purpose: String,
    pub nodes: Vec<String>,
    /// Of its configuration, e.g. `/etc/kubernetes/kubelet.yaml`.
    pub file: Option<String>,
    pub user: String,
    pub ports: Vec<u16>,
    /// Flags, then the configuration's fields; each sorted.
    pub items: Vec<Item>,
}

/// A flag, or a field of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Item {
    /// A flag's name without dashes; a field's path, e.g. `rules[].level`.
    pub name: String,
    pub flag: bool,
    pub values: Vec<Value>,
}

/// A value, and the nodes that have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Value {
    pub value: String,
    pub nodes: Vec<String>,
}

/// Everything that a plan emits, by component.
pub fn components(plan: &Plan) -> BTreeMap<String, Component> {
    let mut all: BTreeMap<String, Component> = BTreeMap::new();
    for node in &plan.nodes {
        for (name, planned) in &node.components {
            let one = all.entry(name.clone()).or_insert_with(|| Component {
                name: name.clone(),
                purpose: purpose(name, &planned.description),
                nodes: Vec::new(),
                file: planned
                    .config
                    .as_ref()
                    .map(|file| format!("/etc/{}", file.path)),
                user: planned.user.clone(),
                ports: planned.ports.clone(),
                items: Vec::new(),
            });
            one.nodes.push(node.name.to_string());
            let mut items: BTreeMap<(bool, String), Vec<String>> = BTreeMap::new();
            for (flag, value) in &planned.flags {
                let text = flag_text(value).unwrap_or_default();
                items.insert((false, flag.clone()), vec![text]);
            }
            if let Some(config) = &planned.config {
                fields(&config.value, "", &mut items);
            }
            for ((field, name), values) in items {
                one.add(name, !field, values.join("; "), node.name.as_str());
            }
        }
    }
    for one in all.values_mut() {
        one.items
            .sort_by(|a, b| (!a.flag, &a.name).cmp(&(!b.flag, &b.name)));
    }
    all
}

impl Component {
    fn add(&mut self, name: String, flag: bool, value: String, node: &str) {
        let known = |item: &Item| item.flag == flag && item.name == name;
        let index = self.items.iter().position(known).unwrap_or_else(|| {
            let values = Vec::new();
            self.items.push(Item { name, flag, values });
            self.items.len() - 1
        });
        let values = &mut self.items[index].values;
        match values.iter_mut().find(|one| one.value == value) {
            Some(one) => one.nodes.push(node.to_owned()),
            None => values.push(Value {
                value,
                nodes: vec![node.to_owned()],
            }),
        }
    }
}

/// The plan's line begins with the component's name.
fn purpose(name: &str, description: &str) -> String {
    let rest = description.strip_prefix(name).unwrap_or(description);
    rest.trim_start_matches(':').trim().to_owned()
}

/// A configuration's leaves by path, as the tables write paths: `[]` is each item of a
/// list, and a key with a dot is quoted.
fn fields(value: &Json, path: &str, found: &mut BTreeMap<(bool, String), Vec<String>>) {
    match value {
        Json::Object(pairs) => {
            for (key, inner) in pairs {
                let key = match key.contains('.') {
                    true => format!("{key:?}"),
                    false => key.clone(),
                };
                let path = match path {
                    "" => key,
                    path => format!("{path}.{key}"),
                };
                fields(inner, &path, found);
            }
        }
        Json::Array(items) if items.iter().any(Json::is_object) => {
            for item in items {
                fields(item, &format!("{path}[]"), found);
            }
        }
        leaf => {
            let text = match leaf {
                Json::String(text) if !text.is_empty() => text.clone(),
                other => other.to_string(),
            };
            found.entry((true, path.to_owned())).or_default().push(text);
        }
    }
}
