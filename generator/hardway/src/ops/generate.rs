//! Everything that is written from a plan: what is committed below hosts/, and
//! the PKI in the state folder. `generate` and `up` share it.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;

use crate::render::{self, Files, Outcome};
use common::exposure;
use common::state::Paths;
use model::lint;
use model::plan::Plan;
use model::topology::Topology;
use pki::{self, Asked};

/// Every file below hosts/, by its path there. An error, and no file, where a
/// program would not take what its node emits; what it takes under protest is said.
pub fn files(topology: &Topology, plan: &Plan, paths: &Paths) -> Result<Files> {
    Ok(all(topology, plan, paths)?.0)
}

/// With what they ask the PKI for, and the names of the requests that a person has edited.
fn all(topology: &Topology, plan: &Plan, paths: &Paths) -> Result<(Files, Asked, Vec<String>)> {
    for warning in lint::refuse(topology, plan)? {
        eprintln!("{warning}");
    }
    let mut files = render::rendered(topology, plan, &paths.dir)?;
    let folder = Path::new("pki");
    let (requests, edited) = pki::with_edits(pki::requests(plan), &paths.hosts().join(folder))?;
    let asked = Asked::parse(plan, &requests)?;
    for (name, text) in requests {
        files.insert(folder.join(name), text);
    }
    Ok((files, asked, edited))
}

/// What [`write`] changed.
#[derive(Debug)]
pub struct Written {
    /// Files below hosts/ that were out of date.
    pub files: Vec<Outcome>,
    /// Names of certificates and keys that were issued.
    pub issued: Vec<String>,
    /// Why a certificate that was there before was issued anew, by its name.
    pub reasons: BTreeMap<String, String>,
    /// What else a person should know.
    pub notes: Vec<String>,
    /// How many files hosts/ has.
    pub total: usize,
}

impl Written {
    /// A line for each certificate that was issued anew, for whoever wonders why, and
    /// for what was mended or kept.
    pub fn notes(&self) -> impl Iterator<Item = String> {
        let anew = self
            .reasons
            .iter()
            .map(|(name, reason)| format!("{name} is issued anew: {reason}"));
        anew.chain(self.notes.iter().cloned())
    }
}

/// Brings hosts/ and the PKI up to date. Writes nothing where Nix or git would copy the keys.
pub fn write(topology: &Topology, plan: &Plan, paths: &Paths) -> Result<Written> {
    exposure::refuse(&paths.state())?;
    let (files, asked, edited) = all(topology, plan, paths)?;
    let changed = render::apply(&files, &paths.hosts())?;
    let pki = pki::ensure(plan, &asked, paths)?;
    let edits = edited
        .iter()
        .map(|name| format!("hosts/pki/{name} is kept as you have edited it"));
    Ok(Written {
        files: changed,
        notes: edits.chain(pki.notes).collect(),
        issued: pki.issued,
        reasons: pki.reasons,
        total: files.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::plan::{plan, sample::topology};
    use model::topology::{Cni, NetworkMode};

    /// A flag that is no more stops everything before a byte is written.
    #[test]
    fn nothing_is_written_for_a_program_that_would_not_start() {
        let topology = topology(Cni::Bridge, NetworkMode::Segment);
        let mut plan = plan(&topology);
        let kubelet = plan.nodes[0].components.get_mut("kubelet").unwrap();
        kubelet
            .flags
            .insert("pod-infra-container-image".into(), "pause:3.10".into());
        let dir = tempfile::tempdir().unwrap();
        let paths = Paths::new(dir.path());
        let error = write(&topology, &plan, &paths).unwrap_err();
        let said = common::report::render(&error);
        assert!(
            said.contains("east: kubelet --pod-infra-container-image: Kubernetes 1.36")
                && said.contains("Kubernetes 1.35 dropped it"),
            "{said}"
        );
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
