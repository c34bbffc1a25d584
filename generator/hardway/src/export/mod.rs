//! `hardway export`: the same nodes on machines of the user's own, as nixos-anywhere
//! or colmena reads them.
//!
//! What is written is a flake: for everyone to read, and to be committed. Keys stay
//! in the state folder, from where the tool takes them past the Nix store.

mod keys;
mod place;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use clap::ValueEnum;
use serde_json::{Value, json};

use crate::deploy::tarball;
use crate::ops::generate;
use crate::render;
use common::report::WithHint;
use common::state::Paths;
use model::plan::{self, NodePlan, PKI_FOLDER, Plan};
use model::topology::{Node, Remote, Topology};

/// Who reads the export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Tool {
    /// Installs NixOS on a machine that runs any Linux
    NixosAnywhere,
    /// Deploys to machines that run NixOS already
    Colmena,
}

impl Tool {
    pub fn as_str(self) -> &'static str {
        match self {
            Tool::NixosAnywhere => "nixos-anywhere",
            Tool::Colmena => "colmena",
        }
    }
}

/// Files to write: path below the folder → bytes, and whether they are a program's.
type Files = BTreeMap<PathBuf, (Vec<u8>, bool)>;

/// Writes the flake for `tool` into `out`, and the keys where that takes them from.
pub fn export(paths: &Paths, topology: &Topology, tool: Tool, out: &Path) -> Result<()> {
    let nodes = machines(topology)?;
    check_names(topology, tool)?;
    let plan = plan::plan(topology);
    generate::write(topology, &plan, paths)?;
    let planned = pair(&nodes, &plan)?;
    let mut files: Files = tarball::folder(topology, &planned)?
        .into_iter()
        .map(|(path, bytes)| (path, (bytes, false)))
        .collect();
    let blanks: Vec<Value> = nodes
        .iter()
        .zip(&planned)
        .map(|((node, remote), (_, plan))| blanks(paths, node, remote, plan))
        .collect();
    let blanks = json!({ "cluster": topology.name, "nodes": blanks });
    let template = format!("{}.nix", tool.as_str());
    let flake = render::exported(&template, &blanks)?;
    files.insert("flake.nix".into(), (flake.into(), false));
    if tool == Tool::NixosAnywhere {
        let folder = keys::write(paths, &planned)?;
        let script = keys::script(&place::seen_from(out, &folder, &paths.dir)?, &nodes)?;
        files.insert("install".into(), (script.into(), true));
    }
    place::put(out, &files)
}

/// The nodes, each on a machine of the user's own that a module of the user's describes.
fn machines(topology: &Topology) -> Result<Vec<(&Node, &Remote)>> {
    let nodes: Vec<(&Node, &Remote)> = topology
        .nodes
        .iter()
        .filter_map(|node| Some((node, node.remote()?)))
        .collect();
    if nodes.is_empty() {
        return Err(anyhow!(
            "the nodes of {} are virtual machines, for `hardway up`",
            topology.name
        ))
        .hint("give each node in cluster.json a \"machine\": { \"ssh\": \"root@ADDRESS\" }");
    }
    let bare: Vec<&str> = nodes
        .iter()
        .filter(|(node, _)| node.modules.is_empty())
        .map(|(node, _)| node.name.as_str())
        .collect();
    if !bare.is_empty() {
        return Err(anyhow!(
            "nothing describes the hardware of {}: its platform, disks, boot loader and ssh keys",
            bare.join(", ")
        ))
        .hint(format!(
            "write a NixOS module for it and name it in nodes.{}.modules, as docs/real-machines.md does",
            bare[0]
        ));
    }
    Ok(nodes)
}

fn pair<'a>(
    nodes: &[(&'a Node, &Remote)],
    plan: &'a Plan,
) -> Result<Vec<(&'a Node, &'a NodePlan)>> {
    nodes
        .iter()
        .map(|(node, _)| {
            let found = plan.nodes.iter().find(|plan| plan.name == node.name);
            let plan = found.with_context(|| format!("the plan has no node {}", node.name))?;
            Ok((*node, plan))
        })
        .collect()
}

/// What a template says of a node.
fn blanks(paths: &Paths, node: &Node, remote: &Remote, plan: &NodePlan) -> Value {
    let modules: Vec<PathBuf> = node
        .modules
        .iter()
        .enumerate()
        .map(|(index, path)| tarball::user_module(node, index, path))
        .collect();
    let keys: BTreeMap<&String, Value> = plan
        .pki
        .iter()
        .map(|(name, file)| {
            let key = json!({
                "keyFile": paths.pki().join(name),
                "destDir": PKI_FOLDER,
                "user": file.user,
                "permissions": mode(name),
            });
            (name, key)
        })
        .collect();
    json!({
        "attribute": render::attribute(node.name.as_str()),
        "name": node.name,
        "modules": modules,
        "deployment": {
            "targetHost": remote.ssh.host,
            "targetUser": remote.ssh.user,
            "keys": keys,
        },
    })
}

/// As modules/render/pki.nix has it: certificates are public, all else is its reader's.
fn mode(name: &str) -> &'static str {
    if name.ends_with(".pem") && !name.ends_with("-key.pem") {
        "0644"
    } else {
        "0600"
    }
}

/// Names that a hive uses for something else.
fn check_names(topology: &Topology, tool: Tool) -> Result<()> {
    const TAKEN: [&str; 3] = ["defaults", "meta", "network"];
    for node in &topology.nodes {
        if tool == Tool::Colmena && TAKEN.contains(&node.name.as_str()) {
            bail!(
                "colmena takes a node named {} for something else",
                node.name
            );
        }
    }
    Ok(())
}
