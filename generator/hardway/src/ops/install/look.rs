//! What an installation would do: every check, and no change. A medium that is here is
//! opened, so that the machines' command lines are those that would run.

use std::collections::BTreeSet;

use anyhow::Result;

use super::{
    Options, Site, chosen, command, host_options, none_runs, open, requirements, to_install, used,
};
use crate::deploy::Medium;
use crate::deploy::install::base::{self, Recipe};
use crate::deploy::install::machine;
use crate::ops::generate;
use crate::ops::interrupt::Interrupt;
use crate::ops::progress::Progress;
use crate::ops::shrink::part_of_snapshots;
use crate::ops::up::virtual_only;
use crate::ops::would::Would;
use crate::ops::{lock, medium};
use crate::render;
use crate::runtime::guest;
use common::state::Paths;
use model::plan;
use model::topology::{Node, NodeName, Role, Topology};
use qemu::Host;
use qemu::disk::{self, Content};

/// What [`super::install_named`] would do.
pub fn look(
    paths: &Paths,
    topology: &Topology,
    names: &[String],
    options: &Options,
) -> Result<Would> {
    let mut would = lost(paths, topology, names)?;
    let nodes = chosen(topology, names)?;
    let site = Site {
        paths,
        topology,
        plan: &plan::plan(topology),
        progress: &Progress::new([]),
        interrupt: &Interrupt::none(),
    };
    let files = generate::files(topology, site.plan, paths)?;
    would.step(format!(
        "bring hosts/ ({} of {} files differ) and the certificates up to date",
        render::compare(&files, &paths.hosts())?.len(),
        files.len()
    ));
    site.check_host(&to_install(&nodes), &command(names))?;
    match medium::look(paths, options)? {
        Ok(iso) => site.tell(&mut would, &nodes, &open(&iso, options)?, options)?,
        Err(how) => {
            would.step(how);
            for node in &nodes {
                would.step(format!(
                    "install {} from it: what runs then is known once it is here",
                    node.name
                ));
            }
        }
    }
    Ok(would)
}

/// What is lost with the disks of these nodes. Fails where they can't be installed now.
pub fn lost(paths: &Paths, topology: &Topology, names: &[String]) -> Result<Would> {
    let nodes = chosen(topology, names)?;
    virtual_only(topology)?;
    lock::check(paths)?;
    none_runs(paths, &nodes)?;
    let mut would = Would::default();
    for node in nodes {
        if paths.node(&node.name).installed().is_file() {
            lose(&mut would, paths, node)?;
        }
    }
    Ok(would)
}

impl Site<'_> {
    fn tell(
        &self,
        would: &mut Would,
        nodes: &[&Node],
        medium: &Medium,
        options: &Options,
    ) -> Result<()> {
        let (paths, topology) = (self.paths, self.topology);
        let host = Host::found(paths, &host_options(options, Some(medium)))?;
        requirements(&host, medium)?;
        let mut bases = BTreeSet::new();
        let mut overlays = Vec::new();
        for &node in nodes {
            let recipe = Recipe::new(&host, self.plan, medium, guest(node)?)?;
            let name = recipe.name().to_owned();
            if bases.insert(name.clone()) && recipe.find(paths)?.is_none() {
                would.run(
                    format!("create the disk of the base {name}, which the nodes share"),
                    &disk::command(&host.qemu, &paths.base_in_making(), recipe.content())?,
                );
                would.run(
                    "install the base: scripts/install.exp types it on this machine's console",
                    &recipe.machine(&host, paths, topology, medium)?,
                );
            }
            overlays.push((node, base::from_node(&name)));
        }
        for (node, base) in overlays {
            let (files, name) = (paths.node(&node.name), &node.name);
            would.run(
                format!("create {name}'s disk, an overlay on the base, and its UEFI variables"),
                &disk::command(&host.qemu, &files, Content::Overlay(&base))?,
            );
            would.run(
                format!("install {name}: scripts/install.exp types it on this machine's console"),
                &machine(&host, paths, topology, node, medium)?,
            );
        }
        if let Some(used) = used(paths, bases, nodes)? {
            for file in base::unused(paths, &used)? {
                would.step(format!(
                    "remove {}, which no node needs then",
                    file.display()
                ));
            }
        }
        Ok(())
    }
}

/// What goes with a node's disk.
fn lose(would: &mut Would, paths: &Paths, node: &Node) -> Result<()> {
    let name = &node.name;
    would.lose(match node.role {
        Role::ControlPlane => {
            format!("what {name}'s disk holds: etcd's data, and with it all that the cluster has")
        }
        Role::Worker => format!("what {name}'s disk holds"),
    });
    let alone: &[NodeName] = std::slice::from_ref(name);
    would.lost.extend(part_of_snapshots(paths, alone)?);
    Ok(())
}
