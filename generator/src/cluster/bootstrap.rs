//! The first permissions of a new cluster.
//!
//! No certificate on disk is in `system:masters`, so at first nobody may do
//! anything. One that lives for ten minutes, in memory, applies
//! hosts/addons/rbac.yaml; from then on the administrator's group is enough.

use std::time::Duration;

use anyhow::{Context, Result};

use super::api::{self, Client};
use crate::pki;
use crate::report::WithHint;
use crate::state::Paths;

const BINDINGS: &str = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings";

/// Applies the bindings as the administrator; where that is refused, as the
/// short-lived `system:masters`. True when the latter was needed.
pub(super) fn bindings(paths: &Paths, admin: &Client, port: u16, limit: Duration) -> Result<bool> {
    let path = paths.hosts().join("addons/rbac.yaml");
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))
        .hint("run `hardway generate`")?;
    match apply(admin, &text) {
        Err(error) if api::status(&error) == Some(403) => {
            let identity = pki::bootstrap_identity(paths)?;
            let masters = Client::new(port, &identity, limit)?;
            apply(&masters, &text)?;
            Ok(true)
        }
        result => result.map(|()| false),
    }
}

fn apply(client: &Client, text: &str) -> Result<()> {
    for (name, document) in documents(text) {
        client
            .apply(&format!("{BINDINGS}/{name}"), document)
            .with_context(|| format!("cannot apply the ClusterRoleBinding {name}"))?;
    }
    Ok(())
}

/// The YAML documents of rbac.yaml with their `metadata.name`, which is the
/// first name at that depth: the template is ours, and a test holds it to this.
fn documents(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split("\n---\n").filter_map(|document| {
        let name = document
            .lines()
            .find_map(|line| line.strip_prefix("  name: "))?;
        Some((name, document))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{plan, sample};
    use crate::topology::{Cni, NetworkMode};

    #[test]
    fn finds_both_bindings_in_what_generate_writes() {
        let topology = sample::topology(Cni::Bridge, NetworkMode::Segment);
        let files =
            crate::nix::rendered(&topology, &plan(&topology), std::path::Path::new("/c")).unwrap();
        let text = &files[std::path::Path::new("addons/rbac.yaml")];
        let names: Vec<&str> = documents(text).map(|(name, _)| name).collect();
        assert_eq!(
            names,
            ["hardway:cluster-admins", "hardway:kubelet-api-admin"]
        );
        assert!(documents(text).all(|(_, document)| document.contains("kind: ClusterRoleBinding")));
    }
}
