//! The texts against the plan: every flag has one, none is left over, and each says more
//! than the program's own help.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::plan::{plan, sample};
use crate::topology::{Cni, NetworkMode, Topology};

fn topologies() -> Vec<Topology> {
    let mut all: Vec<Topology> = [Cni::Bridge, Cni::Cilium]
        .into_iter()
        .flat_map(|cni| {
            [NetworkMode::Segment, NetworkMode::User]
                .map(|mode| sample::topology(cni, mode))
                .into_iter()
                .chain([sample::remote(cni)])
        })
        .collect();
    let mut one_worker = sample::topology(Cni::Bridge, NetworkMode::Segment);
    one_worker.nodes.retain(|node| node.name.as_str() != "east");
    all.push(one_worker);
    all
}

#[test]
fn every_flag_and_field_has_a_text_in_every_topology_and_no_text_is_left_over() {
    let mut seen = BTreeSet::new();
    let mut missing = BTreeSet::new();
    for topology in topologies() {
        let facts = Facts::of(&topology).unwrap();
        for (name, component) in components(&plan(&topology)) {
            let Some(texts) = texts().unwrap().get(&name) else {
                missing.insert(name);
                continue;
            };
            facts.explain(&texts.about, "").unwrap();
            assert!(!component.purpose.is_empty());
            for item in &component.items {
                let place = (name.clone(), item.flag, item.name.clone());
                let Some(entry) = texts.entry(item) else {
                    missing.insert(format!("{place:?}"));
                    continue;
                };
                let values: Vec<_> = item.values.iter().map(|one| one.value.as_str()).collect();
                let said = facts.explain(entry, &values.join(" or "));
                said.unwrap_or_else(|error| panic!("{place:?}: {error:#}"));
                let only = entry.only.as_deref().or(texts.about.only.as_deref());
                assert!(only.is_none_or(|case| facts.holds(case)), "{place:?}");
                seen.insert(place);
            }
        }
    }
    assert_eq!(missing, BTreeSet::new(), "nothing is written of these");
    let written: BTreeSet<_> = texts()
        .unwrap()
        .iter()
        .flat_map(|(name, texts)| {
            let place = |flag| move |item: &String| (name.clone(), flag, item.clone());
            let flags = texts.flags.keys().map(place(true));
            flags.chain(texts.fields.keys().map(place(false)))
        })
        .collect();
    let left: Vec<_> = written.difference(&seen).collect();
    assert_eq!(left, Vec::<&(String, bool, String)>::new(), "never emitted");
}

/// What only some topologies emit says which.
#[test]
fn what_is_not_everywhere_says_where() {
    let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
    for topology in topologies() {
        for (name, component) in components(&plan(&topology)) {
            for item in component.items.iter().filter(|item| item.flag) {
                *counts.entry((name.clone(), item.name.clone())).or_default() += 1;
            }
        }
    }
    let all = topologies().len();
    for ((name, flag), count) in counts {
        let texts = texts_of(&name).unwrap();
        let only = texts.about.only.is_some() || texts.flags[&flag].only.is_some();
        assert_eq!(only, count < all, "{name} --{flag}");
    }
}

fn words(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| word.len() > 3)
        .map(str::to_lowercase)
        .collect()
}

/// A text of substance names what fails here, and repeats neither the flag's name nor
/// another text.
#[test]
fn every_text_says_something_of_its_own() {
    let nodes_and_parts = [
        "{cp}",
        "{worker}",
        "{workers}",
        "{cluster}",
        "{pods}",
        "{services}",
        "{dns}",
        "{domain}",
        "{value}",
        "{first-service}",
        "etcd",
        "kube",
        "Kube",
        "API server",
        "containerd",
        "scheduler",
        "controller",
        "Pod",
        "kubectl",
        "Cilium",
        "systemd",
    ];
    let mut by_text: BTreeMap<String, String> = BTreeMap::new();
    for (component, texts) in texts().unwrap() {
        let about = [("about", &texts.about)].into_iter();
        let flags = texts
            .flags
            .iter()
            .map(|(name, entry)| (name.as_str(), entry));
        let fields = texts
            .fields
            .iter()
            .map(|(name, entry)| (name.as_str(), entry));
        for (name, entry) in about.chain(flags).chain(fields) {
            let place = format!("{component} {name}");
            assert!(entry.read.starts_with("https://"), "{place}");
            let name_words = words(name);
            let mut without_words = BTreeSet::new();
            for (kind, text) in [
                ("what", &entry.what),
                ("why", &entry.why),
                ("without", &entry.without),
            ] {
                let cases: Vec<&String> = match text {
                    Text::Always(text) => vec![text],
                    Text::Cases(cases) => cases.values().collect(),
                };
                for text in cases {
                    let own: BTreeSet<_> = words(text).difference(&name_words).cloned().collect();
                    let least = if kind == "what" { 4 } else { 6 };
                    assert!(
                        own.len() >= least,
                        "{place}: {kind} says too little: {text}"
                    );
                    assert!(text.ends_with(['.', ')']), "{place}: {kind}: {text}");
                    assert!(
                        text.chars().count() <= 480,
                        "{place}: {kind} is long: {text}"
                    );
                    if kind == "without" {
                        let names = nodes_and_parts.iter().any(|part| text.contains(part));
                        assert!(names, "{place}: without names nobody who fails: {text}");
                        without_words = own;
                    }
                    let earlier = by_text.insert(text.clone(), format!("{place} {kind}"));
                    assert_eq!(earlier, None, "{place} {kind} says the same");
                }
            }
            if let Text::Always(what) = &entry.what {
                let new = without_words.difference(&words(what)).count();
                assert!(new >= 4, "{place}: without only repeats what");
            }
        }
    }
}
