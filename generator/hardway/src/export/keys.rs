//! Keys for nixos-anywhere: what `--extra-files` copies to the new machine's root.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::json;

use crate::render;
use common::exposure;

use common::state::Paths;
use model::plan::{NodePlan, PKI_FOLDER};
use model::topology::{Node, Remote};

/// Lays each node's keys out in the state folder, as they are on the node.
pub(super) fn write(paths: &Paths, nodes: &[(&Node, &NodePlan)]) -> Result<PathBuf> {
    let folder = paths.extra_files();
    exposure::refuse(&paths.state())?;
    // What an earlier export left, nodes that are gone included.
    if folder.exists() {
        fs::remove_dir_all(&folder)
            .with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    for (node, plan) in nodes {
        let root = folder.join(node.name.as_str());
        let keys = root.join(PKI_FOLDER.trim_start_matches('/'));
        let write = || -> Result<()> {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&keys)?;
            // The modes travel too: 0700 at the top would close the machine's own / and /var.
            let above = keys.ancestors().skip(1);
            for open in above.take_while(|path| path.starts_with(&root)) {
                fs::set_permissions(open, Permissions::from_mode(0o755))?;
            }
            for (name, bytes) in pki::node_files(plan, paths)? {
                OpenOptions::new()
                    .write(true)
                    .create_new(true)
                    .mode(0o600)
                    .open(keys.join(name))?
                    .write_all(&bytes)?;
            }
            Ok(())
        };
        write().with_context(|| format!("cannot write {}", keys.display()))?;
    }
    Ok(folder)
}

/// The script that calls nixos-anywhere with them. `keys`: their folder, as a shell
/// word that may name the script's own folder as `$here`.
pub(super) fn script(keys: &str, nodes: &[(&Node, &Remote)]) -> Result<String> {
    let nodes: Vec<_> = nodes
        .iter()
        .map(|(node, remote)| json!({ "name": node.name, "ssh": remote.ssh.to_string() }))
        .collect();
    render::exported("install.sh", &json!({ "keys": keys, "nodes": nodes }))
}

/// The word for a folder in a script: quoted, `$here` in front where it is relative.
pub(super) fn shell_word(path: &Path, relative: bool) -> Result<String> {
    let text = path.to_str().context("the folder's name is not UTF-8")?;
    let quoted = shlex::try_quote(text).context("the folder's name holds a zero byte")?;
    Ok(if relative {
        format!("\"$here\"/{quoted}")
    } else {
        quoted.into_owned()
    })
}
