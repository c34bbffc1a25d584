//! What is written down of a snapshot, last and at once: what it was taken of, so that a
//! restore can tell whether the cluster is still the one that it fits.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Name;
use crate::deploy::install::Generation;
use common::file;
use qemu::{Host, Platform};

use common::report::WithHint;
use common::state::{Paths, private_folder};
use model::topology::{NodeName, Topology};

/// Whether the machines' memory is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    Running,
    Cold,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Running => "running",
            Kind::Cold => "cold",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    pub name: Name,
    pub description: Option<String>,
    /// When, in RFC 3339.
    pub taken: String,
    pub kind: Kind,
    #[serde(flatten)]
    pub cluster: Cluster,
}

/// What must be the same at a restore, but for what a node runs, which comes back with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cluster {
    /// SHA-256 of the parsed cluster.json and cluster.env.
    pub topology_sha256: String,
    /// See pki/fingerprint.rs; none where there is no PKI.
    pub pki_sha256: Option<String>,
    /// What each node runs, and since which installation.
    pub generation: BTreeMap<NodeName, Generation>,
    pub platform: Platform,
}

impl Cluster {
    /// The cluster as it is.
    pub(super) fn now(paths: &Paths, topology: &Topology, host: &Host) -> Result<Self> {
        let generation = topology
            .nodes
            .iter()
            .filter_map(|node| Some((node.name.clone(), Generation::of(paths, node)?)));
        Ok(Self {
            topology_sha256: topology_sha256(topology)?,
            pki_sha256: pki::fingerprint(paths)?,
            generation: generation.collect(),
            platform: Platform::of(host)?,
        })
    }
}

fn topology_sha256(topology: &Topology) -> Result<String> {
    let text = serde_json::to_vec(topology).context("cannot write the topology down")?;
    Ok(hex::encode(Sha256::digest(&text)))
}

/// The snapshots that were saved with this very cluster.json and cluster.env, names sorted.
/// One whose record cannot be read is none of them: it cannot be restored anyway.
pub(in crate::ops) fn same_topology(paths: &Paths, topology: &Topology) -> Result<Vec<Name>> {
    let now = topology_sha256(topology)?;
    let mut names = Record::names(paths)?;
    names.retain(|name| {
        let record = Record::find(paths, name).ok().flatten();
        record.is_some_and(|record| record.cluster.topology_sha256 == now)
    });
    Ok(names)
}

impl Record {
    /// What keeps this snapshot from being restored into the cluster `now`, a text each.
    /// `with_pki`: its own PKI comes back with it.
    pub fn differences(&self, now: &Cluster, with_pki: bool) -> Vec<String> {
        let then = &self.cluster;
        let mut found = Vec::new();
        if then.topology_sha256 != now.topology_sha256 {
            found.push("cluster.json or cluster.env says something else than then".to_owned());
        }
        for (node, generation) in &then.generation {
            let installed = now.generation.get(node).map(|now| &now.installed);
            if installed != Some(&generation.installed) {
                found.push(format!("{node} is not the installation that it was then"));
            }
        }
        for node in now.generation.keys() {
            if !then.generation.contains_key(node) {
                found.push(format!("it has no {node}"));
            }
        }
        if then.pki_sha256 != now.pki_sha256 && !with_pki {
            found.push("the PKI is another one than then".to_owned());
        }
        if self.kind == Kind::Running {
            found.extend(now.platform.differences(&then.platform));
        }
        found
    }

    /// The nodes that ran something else then than in `now`. `with_pki`: the keys of then are
    /// also the host's again.
    pub(super) fn older(
        &self,
        now: &BTreeMap<NodeName, Generation>,
        with_pki: bool,
    ) -> Vec<NodeName> {
        let then = self.cluster.generation.iter();
        let other = then.filter(|(node, then)| {
            now.get(*node).is_some_and(|now| {
                now.flake_sha256 != then.flake_sha256
                    || !with_pki && now.keys_sha256 != then.keys_sha256
            })
        });
        other.map(|(node, _)| node.clone()).collect()
    }

    /// Whether the PKI alone differs, which a restore can bring back.
    pub(super) fn only_pki_differs(&self, now: &Cluster) -> bool {
        self.differences(now, true).is_empty() && !self.differences(now, false).is_empty()
    }

    pub(super) fn write(&self, paths: &Paths) -> Result<()> {
        private_folder(&paths.snapshots())?;
        let text = format!("{}\n", serde_json::to_string_pretty(self)?);
        file::replace(&path(paths, &self.name), text.as_bytes(), file::PRIVATE)
    }

    pub(super) fn find(paths: &Paths, name: &Name) -> Result<Option<Self>> {
        let path = path(paths, name);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", path.display()));
            }
        };
        serde_json::from_slice(&text)
            .map(Some)
            .with_context(|| format!("{} is not what hardway wrote", path.display()))
            .hint(format!(
                "`hardway snapshot delete {name}` removes the snapshot"
            ))
    }

    /// The snapshot of this name, or an error that names those that there are.
    pub fn read(paths: &Paths, name: &Name) -> Result<Self> {
        if let Some(record) = Self::find(paths, name)? {
            return Ok(record);
        }
        let names = Self::names(paths)?;
        let names: Vec<&str> = names.iter().map(Name::as_str).collect();
        Err(anyhow!("there is no snapshot {name}")).hint(match names.as_slice() {
            [] => "`hardway snapshot save NAME` makes one".to_owned(),
            names => format!("there are {}", names.join(", ")),
        })
    }

    /// The names of all snapshots, also of those whose record can't be read.
    pub fn names(paths: &Paths) -> Result<Vec<Name>> {
        let folder = paths.snapshots();
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", folder.display()));
            }
        };
        let mut names: Vec<Name> = entries
            .filter_map(Result::ok)
            .filter_map(|entry| {
                let file = entry.file_name();
                file.to_str()?.strip_suffix(".json")?.parse().ok()
            })
            .collect();
        names.sort();
        Ok(names)
    }

    /// Every snapshot, the oldest first.
    pub fn all(paths: &Paths) -> Result<Vec<Self>> {
        let names = Self::names(paths)?;
        let mut all: Vec<Self> = names
            .iter()
            .filter_map(|name| Self::find(paths, name).transpose())
            .collect::<Result<_>>()?;
        all.sort_by(|one, other| (&one.taken, &one.name).cmp(&(&other.taken, &other.name)));
        Ok(all)
    }

    /// Forgets a snapshot, if there is one.
    pub(super) fn remove(paths: &Paths, name: &Name) -> Result<()> {
        let path = path(paths, name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {}", path.display()))
            }
            _ => Ok(()),
        }
    }
}

pub(super) fn path(paths: &Paths, name: &Name) -> PathBuf {
    paths.snapshots().join(format!("{name}.json"))
}
