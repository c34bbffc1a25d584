//! Everything that is written from a plan: what is committed below hosts/, and
//! the PKI in the state folder. `generate` and `up` share it.

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
    /// How many files hosts/ has.
    pub total: usize,
}

/// Brings hosts/ and the PKI up to date.
pub fn write(topology: &Topology, plan: &Plan, paths: &Paths) -> Result<Written> {
    let files = files(topology, plan, paths)?;
    Ok(Written {
        files: nix::apply(&files, &paths.hosts())?,
        issued: pki::ensure(plan, paths)?.issued,
        total: files.len(),
    })
}
