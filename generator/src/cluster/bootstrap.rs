//! The first permissions of a new cluster.
//!
//! No certificate on disk is in `system:masters`, so at first nobody may do
//! anything. One that lives for ten minutes, in memory, applies
//! hosts/addons/rbac.yaml; from then on the administrator's group is enough.

use std::time::Duration;

use anyhow::Result;

use super::api::{self, Client};
use super::manifest::Manifest;
use crate::pki;
use crate::state::Paths;

/// Applies the bindings as the administrator; where that is refused, as the
/// short-lived `system:masters`. True when the latter was needed.
pub(super) fn bindings(paths: &Paths, admin: &Client, port: u16, limit: Duration) -> Result<bool> {
    let bindings = Manifest::read(paths.hosts().join("addons/rbac.yaml"))?;
    match bindings.apply(admin) {
        Err(error) if api::status(&error) == Some(403) => {
            let identity = pki::bootstrap_identity(paths)?;
            let masters = Client::new(port, &identity, limit)?;
            bindings.apply(&masters)?;
            Ok(true)
        }
        result => result.map(|()| false),
    }
}
