//! How a machine gets its system: which installer image, what is injected into it, the
//! base image, the installation and its record. Not here: how QEMU runs (the crate `qemu`),
//! and what spans machines (`ops`).

use std::path::Path;

use anyhow::{Result, anyhow};
use common::report::WithHint;
use common::state::Paths;
use model::topology::{Node, Topology};

use crate::runtime;
use qemu::Host;
use qemu::process::{self, Running};

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
    let files = paths.node(&node.name);
    for image in [files.disk(), files.firmware_variables()] {
        if !image.is_file() {
            return Err(anyhow!("{} has no {}", node.name, image.display()))
                .hint(format!("hardway install {}", node.name));
        }
    }
    install::base::check(paths, topology, node)?;
    process::start(host, paths, &runtime::machine(topology, node)?, capture)
}
