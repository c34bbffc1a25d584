//! Everything that is written from a plan: what is committed below hosts/, and
//! the PKI in the state folder. `generate` and `up` share it.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;

use crate::nix::{self, Files, Outcome};
use crate::pki;
use crate::plan::Plan;
use crate::state::Paths;
use crate::topology::Topology;

/// Every file below hosts/, by its path there. Pure but for the templates in the binary.
pub fn files(topology: &Topology, plan: &Plan, paths: &Paths) -> Result<Files> {
    let mut files = nix::rendered(topology, plan, &paths.dir)?;
    for (name, text) in pki::requests(plan) {
        files.insert(Path::new("pki").join(name), text);
    }
    Ok(files)
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
    /// How many files hosts/ has.
    pub total: usize,
}

impl Written {
    /// A line for each certificate that was issued anew, for whoever wonders why.
    pub fn notes(&self) -> impl Iterator<Item = String> {
        self.reasons
            .iter()
            .map(|(name, reason)| format!("{name} is issued anew: {reason}"))
    }
}

/// Brings hosts/ and the PKI up to date.
pub fn write(topology: &Topology, plan: &Plan, paths: &Paths) -> Result<Written> {
    let files = files(topology, plan, paths)?;
    let changed = nix::apply(&files, &paths.hosts())?;
    let pki = pki::ensure(plan, paths)?;
    Ok(Written {
        files: changed,
        issued: pki.issued,
        reasons: pki.reasons,
        total: files.len(),
    })
}
