//! What a node has, against what is generated for it now.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;
use similar::TextDiff;

use crate::deploy::tarball::Files;
use crate::ops::wait::printable;
use crate::render::Change;
use model::plan::{NodePlan, PKI_FOLDER};

/// A file of the node's flake that is another one now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileChange {
    /// Below /etc/hardway.
    pub path: PathBuf,
    pub change: Change,
    /// A unified diff from what is there to what would be.
    pub diff: String,
}

/// A key, certificate or kubeconfig that is another one now. What is in it is told nobody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyChange {
    pub name: String,
    pub change: Change,
}

/// The names of files, and the SHA-256 of each.
pub(super) type Sums = BTreeMap<String, String>;

/// Every file that differs, by path.
pub(super) fn files(there: &Files, wanted: &Files) -> Vec<FileChange> {
    changes(there, wanted)
        .map(|(path, change)| FileChange {
            path: path.clone(),
            change,
            diff: diff(path, there.get(path), wanted.get(path)),
        })
        .collect()
}

/// Every key that differs, by name.
pub(super) fn keys(there: &Sums, wanted: &Sums) -> Vec<KeyChange> {
    changes(there, wanted)
        .map(|(name, change)| KeyChange {
            name: name.clone(),
            change,
        })
        .collect()
}

fn changes<'a, K: Ord, V: PartialEq>(
    there: &'a BTreeMap<K, V>,
    wanted: &'a BTreeMap<K, V>,
) -> impl Iterator<Item = (&'a K, Change)> {
    let mut all: Vec<&K> = there.keys().chain(wanted.keys()).collect();
    all.sort();
    all.dedup();
    all.into_iter().filter_map(|key| {
        Some((
            key,
            match (there.get(key), wanted.get(key)) {
                (Some(_), None) => Change::Remove,
                (None, _) => Change::Create,
                (Some(there), Some(wanted)) if there != wanted => Change::Update,
                _ => return None,
            },
        ))
    })
}

/// What comes from a guest must not steer the user's terminal.
fn diff(path: &Path, there: Option<&Vec<u8>>, wanted: Option<&Vec<u8>>) -> String {
    let text = |bytes: Option<&Vec<u8>>| {
        let bytes = bytes.map(Vec::as_slice).unwrap_or_default();
        let lines = String::from_utf8_lossy(bytes);
        lines
            .split_inclusive('\n')
            .map(|line| match line.strip_suffix('\n') {
                Some(line) => printable(line) + "\n",
                None => printable(line),
            })
            .collect::<String>()
    };
    let name = format!("/etc/hardway/{}", path.display());
    TextDiff::from_lines(&text(there), &text(wanted))
        .unified_diff()
        .header(&name, &format!("{name} (generated)"))
        .to_string()
}

/// The units of the components that name one of these keys in their flags or files.
pub(super) fn readers(plan: &NodePlan, keys: &[KeyChange]) -> Vec<String> {
    let paths: Vec<String> = keys
        .iter()
        .map(|key| format!("{PKI_FOLDER}/{}", key.name))
        .collect();
    plan.components
        .iter()
        .filter(|(_, component)| {
            let flags = component.flags.values();
            let config = component.config.iter().map(|config| &config.value);
            flags.chain(config).any(|value| {
                let text = value.to_string();
                paths.iter().any(|path| text.contains(path))
            })
        })
        .map(|(name, _)| format!("{name}.service"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::plan::{plan, sample};
    use model::topology::{Cni, NetworkMode};

    fn folder(files: &[(&str, &str)]) -> Files {
        files
            .iter()
            .map(|(path, text)| (PathBuf::from(path), text.as_bytes().to_vec()))
            .collect()
    }

    #[test]
    fn a_difference_is_told_by_file() {
        let there = folder(&[
            ("flake.nix", "{\n  a = 1;\n}\n"),
            ("old.nix", "x\n"),
            ("same", "s"),
        ]);
        let wanted = folder(&[
            ("flake.nix", "{\n  a = 2;\n}\n"),
            ("new.nix", "y\n"),
            ("same", "s"),
        ]);
        let found = files(&there, &wanted);
        let changes: Vec<_> = found.iter().map(|one| one.change).collect();
        assert_eq!(changes, [Change::Update, Change::Create, Change::Remove]);
        let text: String = found.iter().map(|one| one.diff.as_str()).collect();
        assert_eq!(
            text,
            "--- /etc/hardway/flake.nix\n+++ /etc/hardway/flake.nix (generated)\n\
             @@ -1,3 +1,3 @@\n {\n-  a = 1;\n+  a = 2;\n }\n\
             --- /etc/hardway/new.nix\n+++ /etc/hardway/new.nix (generated)\n@@ -0,0 +1 @@\n+y\n\
             --- /etc/hardway/old.nix\n+++ /etc/hardway/old.nix (generated)\n@@ -1 +0,0 @@\n-x\n"
        );
        assert!(files(&wanted, &wanted).is_empty());
    }

    #[test]
    fn a_guest_writes_no_escape_sequences_to_the_terminal() {
        let there = folder(&[("a.nix", "\u{1b}]0;mine\u{7}one\u{1b}[2J\n")]);
        let found = files(&there, &Files::new());
        assert!(found[0].diff.ends_with("\n-one\n"), "{:?}", found[0].diff);
    }

    #[test]
    fn keys_are_told_by_name_and_who_reads_them() {
        let sums = |list: &[(&str, &str)]| -> Sums {
            list.iter()
                .map(|(name, sum)| ((*name).to_owned(), (*sum).to_owned()))
                .collect()
        };
        let there = sums(&[
            ("ca.pem", "1"),
            ("kubelet-serving-east.pem", "2"),
            ("gone.pem", "3"),
        ]);
        let wanted = sums(&[("ca.pem", "1"), ("kubelet-serving-east.pem", "9")]);
        let found = keys(&there, &wanted);
        let names: Vec<_> = found
            .iter()
            .map(|key| (key.name.as_str(), key.change))
            .collect();
        assert_eq!(
            names,
            [
                ("gone.pem", Change::Remove),
                ("kubelet-serving-east.pem", Change::Update)
            ]
        );
        let plan = plan(&sample::topology(Cni::Bridge, NetworkMode::Segment));
        assert_eq!(readers(&plan.nodes[0], &found), ["kubelet.service"]);
        assert!(readers(&plan.nodes[0], &[]).is_empty());
    }
}
