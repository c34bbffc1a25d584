//! The first permissions of a new cluster.
//!
//! No certificate on disk is in `system:masters`, so at first nobody may do
//! anything. One that lives for ten minutes, in memory, applies
//! hosts/addons/rbac.yaml; from then on the administrator's group is enough. Where the
//! authority's key is elsewhere, that certificate was signed there, and is removed afterwards.

use std::time::Duration;

use anyhow::Result;

use super::manifest::Manifest;
use crate::ops::api;
use kube::Client;

use common::state::Paths;
use model::topology::Topology;

/// Applies the bindings as the administrator; where that is refused, as the
/// short-lived `system:masters`. True when the latter was needed.
pub(super) fn bindings(
    topology: &Topology,
    paths: &Paths,
    admin: &Client,
    limit: Duration,
) -> Result<bool> {
    let bindings = Manifest::read(paths.hosts().join("addons/rbac.yaml"))?;
    let by_masters = match bindings.apply(admin) {
        Err(error) if kube::status(&error) == Some(403) => {
            let identity = pki::bootstrap_identity(topology, paths)?;
            let masters = api::client(topology.api_port, &identity, limit)?;
            bindings.apply(&masters)?;
            true
        }
        result => result.map(|()| false)?,
    };
    pki::bootstrap_done(paths)?;
    Ok(by_masters)
}
