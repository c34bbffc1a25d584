//! How a machine gets its system: which installer image, what is injected into it, the
//! base image, the installation and its record. Not here: how QEMU runs (`machine`), and
//! what spans machines (`ops`).

use std::path::Path;

use anyhow::Result;
use common::state::Paths;
use model::topology::{Node, Topology};

use crate::machine::Host;
use crate::machine::process::{self, Running};

pub mod install;
pub mod media;
mod medium;
pub mod tarball;

pub use medium::Medium;

/// Starts the node's installed machine, unless it runs already, and returns once QEMU does.
/// What its NIC on the nodes' network sees goes into the file `capture`.
pub fn start(
    host: &Host,
    paths: &Paths,
    topology: &Topology,
    node: &Node,
    capture: Option<&Path>,
) -> Result<Running> {
    if let Some(running) = process::find(paths, &node.name) {
        return Ok(running);
    }
    install::base::check(paths, topology, node)?;
    process::start(host, paths, topology, node, capture)
}
