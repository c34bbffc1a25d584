//! When a node that was changed counts as well again.

use anyhow::{Context, Result};

use super::{Run, Target};
use crate::ops::api;
use crate::ops::wait::{Look, Wait};
use crate::ops::{fresh, machines, nodes};

use model::topology::Role;

impl Run<'_> {
    /// Waits until the node's units are active and Kubernetes has heard of it since.
    pub(super) fn well(&self, target: &Target<'_>) -> Result<()> {
        let guest = &target.guest;
        let units = machines::units(target.plan);
        let port = self.site.topology.api_port;
        let admin = api::client(
            port,
            &pki::admin_identity(self.site.paths)?,
            self.limits.request(),
        )?;
        let worker = guest.node.role == Role::Worker;
        let mut before = None;
        let what = format!("{} to be well", guest.node.name);
        let limit = match guest.node.role {
            Role::ControlPlane => self.limits.ready_api(),
            Role::Worker => self.limits.ready_nodes(),
        };
        let mut look = || -> Result<Vec<String>> {
            let inactive = guest.inactive(&units)?;
            if !inactive.is_empty() {
                return Ok(inactive);
            }
            admin
                .text("/readyz")
                .context("the API server is not ready")?;
            if !worker {
                return Ok(Vec::new());
            }
            let then = match &before {
                Some(then) => then,
                None => before.insert(fresh::leases(&admin)?),
            };
            let registered = nodes::list(&admin)?;
            let missing = nodes::missing(&[guest.node], &registered);
            if !missing.is_empty() {
                return Ok(missing);
            }
            let (paths, limits) = (self.site.paths, self.limits);
            fresh::stale(
                paths,
                &admin,
                limits,
                &[guest.node],
                &registered,
                Some(then),
            )
        };
        Wait {
            what: &what,
            limit,
            pause: self.limits.pause(),
            interrupt: self.site.interrupt,
            logs: Vec::new(),
            hint: None,
        }
        .until(|| Ok(Look::of(look())))
    }
}
