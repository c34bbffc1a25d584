//! What each component, flag and field of this cluster is for, and what breaks without
//! it: texts for people (generator/model/explain/, a file a component) with the plan's values.

mod emitted;
mod facts;
mod text;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use anyhow::{Context, Result, anyhow};
use include_dir::{Dir, include_dir};
use serde::{Deserialize, Serialize};

pub use emitted::{Component, Item, Value, components};
pub use facts::Facts;
pub use text::{component, components as list, full};

use crate::lint::nearest;
use common::report::WithHint;

static FILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/explain");

/// The texts by component, read once.
static TEXTS: LazyLock<Result<BTreeMap<String, Texts>, String>> = LazyLock::new(|| {
    let read = |file: &include_dir::File<'_>| -> Result<(String, Texts)> {
        let path = file.path();
        let name = path.file_stem().and_then(|stem| stem.to_str());
        let texts = serde_json::from_slice(file.contents())
            .with_context(|| format!("cannot read the texts {}", path.display()))?;
        Ok((name.unwrap_or_default().to_owned(), texts))
    };
    let texts: Result<_> = FILES.files().map(read).collect();
    texts.map_err(|error| format!("{error:#}"))
});

/// All that is said of one component.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Texts {
    pub about: Entry,
    /// By name, without dashes.
    pub flags: BTreeMap<String, Entry>,
    /// Of its configuration file, by path.
    #[serde(default)]
    pub fields: BTreeMap<String, Entry>,
}

/// What is said of a component, a flag or a field.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    pub what: Text,
    /// Why this value, in this cluster.
    pub why: Text,
    /// What breaks in this cluster without it, and what one then sees.
    pub without: Text,
    /// Where to read on.
    pub read: String,
    /// The only case in which it is there, e.g. `bridge`.
    pub only: Option<String>,
}

/// A text with blanks such as `{pods}`; another one in each case where clusters differ.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Text {
    Always(String),
    Cases(BTreeMap<String, String>),
}

/// An entry with its blanks filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explained {
    pub what: String,
    pub why: String,
    pub without: String,
    pub read: String,
}

/// The texts of every component.
pub fn texts() -> Result<&'static BTreeMap<String, Texts>> {
    TEXTS.as_ref().map_err(|error| anyhow!("{error}"))
}

/// Those of one component.
pub fn texts_of(component: &str) -> Result<&'static Texts> {
    texts()?
        .get(component)
        .with_context(|| format!("nothing is written of {component}"))
}

impl Texts {
    pub fn entry(&self, item: &Item) -> Option<&Entry> {
        match item.flag {
            true => self.flags.get(&item.name),
            false => self.fields.get(&item.name),
        }
    }
}

/// The component that someone named, e.g. `kubelet` or `kubelet.service`.
pub fn find<'a>(
    all: &'a BTreeMap<String, Component>,
    facts: &Facts,
    name: &str,
) -> Result<&'a Component> {
    let name = name.strip_suffix(".service").unwrap_or(name);
    if let Some(found) = all.get(name) {
        return Ok(found);
    }
    if let Some(Texts { about, .. }) = texts()?.get(name) {
        return Err(facts.elsewhere(
            about,
            &format!("no node of {} runs {name}", facts.cluster()),
        ));
    }
    let known: Vec<&str> = all.keys().map(String::as_str).collect();
    Err(anyhow!("no node of {} runs {name:?}", facts.cluster())).hint(
        match nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("its nodes run {}", known.join(", ")),
        },
    )
}

impl Component {
    /// The flag or field that someone named: `--etcd-servers`, `clusterDNS`, or the end of
    /// a field's path where only one ends so.
    pub fn item(&self, facts: &Facts, written: &str) -> Result<&Item> {
        let bare = written.trim_start_matches('-');
        let bare = bare.split_once('=').map_or(bare, |(name, _)| name);
        if let Some(found) = self.items.iter().find(|item| item.name == bare) {
            return Ok(found);
        }
        let ends = |item: &&Item| {
            let end = item.name.strip_suffix(bare);
            !item.flag && end.is_some_and(|rest| rest.ends_with('.'))
        };
        let mut ending = self.items.iter().filter(ends);
        if let (Some(found), None) = (ending.next(), ending.next()) {
            return Ok(found);
        }
        let name = &self.name;
        if let Some(entry) = texts_of(name)?.flags.get(bare) {
            return Err(facts.elsewhere(entry, &format!("{name} has no --{bare} in this cluster")));
        }
        Err(anyhow!("{name} has no flag and no field {written:?} here")).hint(
            match nearest(bare, self.items.iter().map(|item| item.name.as_str())) {
                Some(near) => format!("did you mean {near}?"),
                None => format!("`hardway explain {name}` lists what it has"),
            },
        )
    }
}

#[cfg(test)]
mod tests;
