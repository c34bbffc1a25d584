//! Brings `hosts/` up to date, or says where it is not: only what changed is
//! written, each file atomically, and what is no longer generated is removed.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rayon::prelude::*;
use serde::Serialize;
use similar::TextDiff;
use walkdir::WalkDir;

use common::file;

/// Generated files: path below hosts/ → text.
pub type Files = BTreeMap<PathBuf, String>;

/// What differs between a file on disk and what would be generated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    Create,
    Update,
    /// Generated once, from a node or a choice that is no longer there.
    Remove,
}

impl fmt::Display for Change {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Change::Create => "create",
            Change::Update => "update",
            Change::Remove => "remove",
        })
    }
}

/// One file that is out of date.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// Below hosts/.
    pub path: PathBuf,
    pub change: Change,
    /// A unified diff from what is there to what would be.
    pub diff: String,
}

/// Every file below `hosts` that differs from `files`, sorted by path. Writes nothing.
pub fn compare(files: &Files, hosts: &Path) -> Result<Vec<Outcome>> {
    let wanted: Vec<(&PathBuf, &String)> = files.iter().collect();
    let mut outcomes = wanted
        .par_iter()
        .filter_map(|(path, text)| {
            let change = match fs::read_to_string(hosts.join(path)) {
                Ok(found) if found == **text => return None,
                Ok(found) => Ok((Change::Update, found)),
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    Ok((Change::Create, String::new()))
                }
                Err(error) => Err(error)
                    .with_context(|| format!("cannot read {}", hosts.join(path).display())),
            };
            Some(change.map(|(change, found)| Outcome {
                path: (*path).clone(),
                change,
                diff: diff(path, &found, text),
            }))
        })
        .collect::<Result<Vec<_>>>()?;
    for path in leftovers(files, hosts) {
        let found = fs::read_to_string(hosts.join(&path))
            .with_context(|| format!("cannot read {}", hosts.join(&path).display()))?;
        outcomes.push(Outcome {
            change: Change::Remove,
            diff: diff(&path, &found, ""),
            path,
        });
    }
    outcomes.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(outcomes)
}

/// Brings `hosts` up to date; returns what was out of date.
pub fn apply(files: &Files, hosts: &Path) -> Result<Vec<Outcome>> {
    let outcomes = compare(files, hosts)?;
    outcomes.par_iter().try_for_each(|outcome| {
        let path = hosts.join(&outcome.path);
        match files.get(&outcome.path) {
            Some(text) => file::replace(&path, text.as_bytes(), 0o644),
            None => {
                fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))
            }
        }
    })?;
    for outcome in &outcomes {
        // A folder that its last file has left goes too; one with a person's file stays.
        if let (Change::Remove, Some(folder)) = (outcome.change, hosts.join(&outcome.path).parent())
        {
            let _ = fs::remove_dir(folder);
        }
    }
    Ok(outcomes)
}

fn diff(path: &Path, from: &str, to: &str) -> String {
    let name = format!("hosts/{}", path.display());
    TextDiff::from_lines(from, to)
        .unified_diff()
        .header(&name, &format!("{name} (generated)"))
        .to_string()
}

/// Files that an earlier run wrote and this one would not. Anything else below
/// hosts/ is a person's, and is left alone.
fn leftovers(files: &Files, hosts: &Path) -> Vec<PathBuf> {
    WalkDir::new(hosts)
        .max_depth(2)
        .sort_by_file_name()
        .into_iter()
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_file())
        .filter_map(|entry| {
            let path = entry.path().strip_prefix(hosts).ok()?.to_path_buf();
            let ours = path.parent() == Some(Path::new("pki"))
                && path.to_string_lossy().ends_with("-csr.json")
                || fs::read_to_string(entry.path()).is_ok_and(|text| {
                    text.lines()
                        .next()
                        .is_some_and(|line| line.contains("Written by `hardway generate`"))
                });
            (ours && !files.contains_key(&path)).then_some(path)
        })
        .collect()
}
