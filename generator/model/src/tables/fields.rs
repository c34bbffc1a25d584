//! The fields of a configuration as a tree, from the paths that the tables list:
//! `authentication.x509.clientCAFile`, `registerWithTaints[].key` (`[]`: each item),
//! `runtimes.*.runtime_type` (`*`: any key), `plugins."io.containerd.cri.v1.runtime".cni`.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use serde_json::Value;

use super::Entry;
use super::kind::shown;

#[derive(Debug, Default)]
pub struct Fields {
    entry: Option<Entry>,
    named: BTreeMap<String, Fields>,
    any: Option<Box<Fields>>,
    item: Option<Box<Fields>>,
}

/// What was found at a path of a value that was held against the fields.
#[derive(Debug, PartialEq, Eq)]
pub enum Remark<'a> {
    /// No such field; these stand in its place.
    Unknown(Vec<&'a str>),
    /// The program's words.
    Deprecated(&'a str),
    /// What is wrong with the value.
    Refused(String),
}

impl Fields {
    pub(super) fn new(entries: BTreeMap<String, Entry>) -> Result<Self> {
        let mut root = Self::default();
        for (path, entry) in entries {
            let mut at = &mut root;
            for step in steps(&path)? {
                at = match step {
                    Step::Item => at.item.get_or_insert_default(),
                    Step::Any => at.any.get_or_insert_default(),
                    Step::Named(name) => at.named.entry(name).or_default(),
                };
            }
            at.entry = Some(entry);
        }
        Ok(root)
    }

    /// How many fields `value` sets that were looked at, and what is to be said of them.
    pub fn judge<'a>(&'a self, value: &Value) -> (usize, Vec<(String, Remark<'a>)>) {
        let mut judge = Judge::default();
        judge.visit(&[self], "", value);
        (judge.seen, judge.remarks)
    }

    fn has_inner(&self) -> bool {
        !self.named.is_empty() || self.any.is_some() || self.item.is_some()
    }
}

#[derive(Default)]
struct Judge<'a> {
    seen: usize,
    remarks: Vec<(String, Remark<'a>)>,
}

impl<'a> Judge<'a> {
    /// `nodes` all describe `value`, the nearest first: what a key's own entry
    /// does not say, `*` beside it does.
    fn visit(&mut self, nodes: &[&'a Fields], path: &str, value: &Value) {
        let entry = nodes.iter().find_map(|node| node.entry.as_ref());
        if let Some(words) = entry.and_then(|entry| entry.deprecated.as_deref()) {
            self.remarks
                .push((path.to_owned(), Remark::Deprecated(words)));
        }
        match value {
            Value::Null => {}
            Value::Object(pairs)
                if nodes
                    .iter()
                    .any(|node| node.any.is_some() || !node.named.is_empty()) =>
            {
                for (key, inner) in pairs {
                    let path = member(path, key);
                    let below = below(nodes, key);
                    if below.is_empty() {
                        self.seen += 1;
                        let known = nodes.iter().flat_map(|node| node.named.keys());
                        self.remarks
                            .push((path, Remark::Unknown(known.map(String::as_str).collect())));
                    } else {
                        self.visit(&below, &path, inner);
                    }
                }
            }
            Value::Array(items) if nodes.iter().any(|node| node.item.is_some()) => {
                let below: Vec<&Fields> = nodes
                    .iter()
                    .filter_map(|node| node.item.as_deref())
                    .collect();
                for (index, item) in items.iter().enumerate() {
                    self.visit(&below, &format!("{path}[{index}]"), item);
                }
            }
            value => {
                self.seen += 1;
                let refused = match entry {
                    Some(entry) if !nodes.iter().any(|node| node.has_inner()) => {
                        entry.kind.refuses(value)
                    }
                    _ if nodes.iter().any(|node| node.item.is_some()) => {
                        Some(format!("takes a list, not {}", shown(value)))
                    }
                    _ => Some(format!("takes fields of its own, not {}", shown(value))),
                };
                if let Some(words) = refused {
                    self.remarks.push((path.to_owned(), Remark::Refused(words)));
                }
            }
        }
    }
}

/// What describes `key`. The nearest node that knows the key decides.
fn below<'a>(nodes: &[&'a Fields], key: &str) -> Vec<&'a Fields> {
    for node in nodes {
        let found: Vec<&Fields> = node
            .named
            .get(key)
            .into_iter()
            .chain(node.any.as_deref())
            .collect();
        if !found.is_empty() {
            return found;
        }
    }
    Vec::new()
}

fn member(path: &str, key: &str) -> String {
    let key = if key.contains('.') {
        format!("{key:?}")
    } else {
        key.to_owned()
    };
    if path.is_empty() {
        key
    } else {
        format!("{path}.{key}")
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Step {
    Named(String),
    Any,
    Item,
}

fn steps(path: &str) -> Result<Vec<Step>> {
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("[]") {
            steps.push(Step::Item);
            rest = after;
        } else if let Some((name, after)) = rest
            .strip_prefix('"')
            .and_then(|quoted| quoted.split_once('"'))
        {
            steps.push(Step::Named(name.to_owned()));
            rest = after;
        } else {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            let (name, after) = rest.split_at(end);
            match name {
                "" => bail!("the path {path:?} has an empty name"),
                "*" => steps.push(Step::Any),
                name => steps.push(Step::Named(name.to_owned())),
            }
            rest = after;
        }
        rest = rest.strip_prefix('.').unwrap_or(rest);
    }
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields() -> Fields {
        let entries = json!({
            "name": { "type": "string" },
            "old": { "type": "bool", "deprecated": "it does nothing" },
            "registry": { "type": "object", "deprecated": "use files" },
            "registry.*.url": { "type": "string" },
            "taints[].key": { "type": "string" },
            "plugins.\"io.x.v1\".runtimes.*.options": { "type": "map[string]any" },
            "plugins.\"io.x.v1\".runtimes.*.type": { "type": "string" },
            "plugins.\"io.x.v1\".runtimes.runc.options.Cgroup": { "type": "bool" },
        });
        Fields::new(serde_json::from_value(entries).unwrap()).unwrap()
    }

    fn said(value: &Value) -> Vec<String> {
        let fields = fields();
        let (_, remarks) = fields.judge(value);
        remarks
            .iter()
            .map(|(path, remark)| format!("{path}: {remark:?}"))
            .collect()
    }

    #[test]
    fn what_is_known_passes_and_is_counted() {
        let value = json!({
            "name": "x",
            "taints": [{ "key": "a" }, { "key": "b" }],
            "plugins": { "io.x.v1": { "runtimes": {
                "runc": { "type": "t", "options": { "Cgroup": true } },
                "kata": { "type": "t", "options": { "Anything": [1] } },
            } } },
        });
        assert_eq!(said(&value), [""; 0]);
        assert_eq!(fields().judge(&value).0, 7);
    }

    #[test]
    fn what_is_not_is_named_with_its_place() {
        assert_eq!(
            said(&json!({
                "nam": 1,
                "name": ["x"],
                "old": true,
                "registry": { "a": { "url": "u" } },
                "taints": [{ "key": "a" }, { "kee": "b" }],
                "plugins": { "io.x.v1": { "runtimes": { "runc": { "options": { "Cgruop": true } } } } },
            })),
            [
                "nam: Unknown([\"name\", \"old\", \"plugins\", \"registry\", \"taints\"])",
                "name: Refused(\"takes a text, not a list\")",
                "old: Deprecated(\"it does nothing\")",
                "plugins.\"io.x.v1\".runtimes.runc.options.Cgruop: Unknown([\"Cgroup\"])",
                "registry: Deprecated(\"use files\")",
                "taints[1].kee: Unknown([\"key\"])",
            ]
        );
        assert_eq!(
            said(&json!({ "taints": { "key": "a" }, "plugins": 3 })),
            [
                "plugins: Refused(\"takes fields of its own, not 3\")",
                "taints: Refused(\"takes a list, not fields\")",
            ]
        );
    }
}
