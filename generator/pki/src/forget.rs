//! A node that is gone leaves no key behind. Its certificates stay valid until they
//! expire: Kubernetes has no list of revoked ones, so the keys must go.

use std::fs;
use std::io::{self, ErrorKind};

use anyhow::{Context, Result};

use super::store::Store;
use common::state::Paths;
use model::plan::{certificates_of, ssh_host_key};
use model::topology::{NodeName, Role};

/// Whether `node` has been a member of etcd: its certificates were issued.
pub fn has_etcd(paths: &Paths, node: &NodeName) -> bool {
    let mut names = certificates_of(Role::ControlPlane, node).into_iter();
    names.any(|name| Store::of(paths).path(&format!("{name}.pem")).is_file())
}

/// Removes the certificates, keys (also ssh's) and kubeconfigs that a worker alone had.
pub fn forget(paths: &Paths, node: &NodeName) -> Result<()> {
    let store = Store::of(paths);
    let mut files = vec![ssh_host_key(node)];
    for name in certificates_of(Role::Worker, node) {
        files.extend(["-key.pem", ".pem", ".kubeconfig"].map(|end| format!("{name}{end}")));
    }
    for file in files {
        let path = store.path(&file);
        gone(fs::remove_file(&path))
            .with_context(|| format!("cannot remove {}", path.display()))?;
    }
    let exported = paths.extra_files().join(node.as_str());
    gone(fs::remove_dir_all(&exported))
        .with_context(|| format!("cannot remove {}", exported.display()))
}

fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
