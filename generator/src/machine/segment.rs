//! The rootless layer-2 segment between the guests.
//!
//! A star of point-to-point links over Unix datagram sockets, joined by a hub in
//! the control plane's QEMU. Unlike QEMU's stream sockets it has no server that
//! must be first, and it survives the death and return of either side. QEMU has
//! `-netdev dgram` since 7.2. A hub that runs is given a link, and loses one, over
//! QMP: nobody is started again when a node comes or goes.
//!
//! Each QEMU, the workers' too, has its card behind a hub of its own with one port that
//! leads nowhere (`DRAIN`), because a full socket is dear: QEMU's sender tries again
//! whenever poll(2) calls its socket writable, which an unconnected datagram socket always
//! is, and its main loop spins. So a frame is taken off the socket whether the guest's
//! driver is up or not: a hub takes one as soon as any of its ports can, and QEMU keeps it
//! for the card (10,000 at most). Only a paused machine, as for a snapshot, takes none.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use serde_json::json;

use super::process::{self, Running};
use crate::report::WithHint;
use crate::state::Paths;
use crate::topology::{NetworkMode, Node, NodeName, Topology};

/// The longest path of a Unix socket: macOS' sockaddr_un, less its final zero.
const SOCKET_PATH_MAX: usize = 103;

/// QEMU's number for the hub, of which there is one a machine.
pub(super) const HUB: i32 = 0;

/// QEMU's name for the hub's port that leads nowhere. QEMU warns that it "has no peer".
pub(super) const DRAIN: &str = "drain";

/// One end of a link: where this node listens, and where its peer does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    /// Whom it joins to the hub.
    spoke: NodeName,
    pub local: PathBuf,
    pub remote: PathBuf,
}

impl Link {
    /// The hub's end. Each end is named after the spoke: two names in one would leave
    /// a doubt whose dash it is (`a-b` to `c`, `a` to `b-c`).
    fn of_hub(spoke: &NodeName, runtime: &Path) -> Self {
        let end = |kind: &str| runtime.join(format!("{spoke}.{kind}"));
        Self {
            spoke: spoke.clone(),
            local: end("hub"),
            remote: end("seg"),
        }
    }

    /// The other end of it.
    fn turned(self) -> Self {
        Self {
            spoke: self.spoke,
            local: self.remote,
            remote: self.local,
        }
    }

    /// QEMU's names for the link and for the hub's port that it ends at.
    pub(super) fn ids(&self) -> [String; 2] {
        ["link", "port"].map(|what| format!("{what}-{}", self.spoke))
    }

    fn fits(&self) -> Result<()> {
        fits(&self.local).and_then(|()| fits(&self.remote))
    }
}

/// The node whose QEMU joins all others: the star's hub.
fn hub(topology: &Topology) -> Option<&Node> {
    match topology.network.mode {
        NetworkMode::Segment => topology.control_planes().next(),
        NetworkMode::User => None,
    }
}

/// What joins a machine to the segment: to each other node where it has the star's hub, to
/// the hub where it is any other. None where there is no segment.
pub(super) fn links(topology: &Topology, node: &Node, runtime: &Path) -> Result<Option<Vec<Link>>> {
    let Some(hub) = hub(topology) else {
        return Ok(None);
    };
    let links: Vec<Link> = if hub.name == node.name {
        let spokes = topology.nodes.iter().filter(|one| one.name != hub.name);
        spokes
            .map(|spoke| Link::of_hub(&spoke.name, runtime))
            .collect()
    } else {
        vec![Link::of_hub(&node.name, runtime).turned()]
    };
    links.iter().try_for_each(Link::fits)?;
    Ok(Some(links))
}

/// Gives the hub, if it runs, a link to `spoke`, whose machine does not: so a node that
/// is new reaches the others, and none of them is started again. A link that is there
/// already is made anew. Returns the hub's node where it has one now.
pub(super) fn join<'a>(
    paths: &Paths,
    topology: &'a Topology,
    spoke: &Node,
) -> Result<Option<&'a Node>> {
    let Some(hub) = hub(topology).filter(|hub| hub.name != spoke.name) else {
        return Ok(None);
    };
    let Some(running) = process::find(paths, &hub.name) else {
        return Ok(None);
    };
    let link = Link::of_hub(&spoke.name, &paths.runtime());
    link.fits()?;
    let add = || -> Result<()> {
        remove(&running, &link)?;
        let mut qmp = running.qmp()?;
        let [name, port] = link.ids();
        let end = |path: &Path| -> Result<_> {
            let path = path.to_str().context("a socket's path is no UTF-8")?;
            Ok(json!({ "type": "unix", "path": path }))
        };
        qmp.execute(
            "netdev_add",
            &json!({
                "type": "dgram",
                "id": name,
                "local": end(&link.local)?,
                "remote": end(&link.remote)?,
            }),
        )?;
        qmp.execute(
            "netdev_add",
            &json!({ "type": "hubport", "id": port, "hubid": HUB, "netdev": name }),
        )?;
        Ok(())
    };
    add()
        .with_context(|| format!("cannot join {} to the segment of {}", spoke.name, hub.name))
        .hint("`hardway down`, then `hardway up` starts every machine with all its links")?;
    Ok(Some(hub))
}

/// Takes the link to a node that is gone from the hub, if that runs.
pub fn part(paths: &Paths, topology: &Topology, spoke: &NodeName) -> Result<()> {
    let Some(running) = hub(topology).and_then(|hub| process::find(paths, &hub.name)) else {
        return Ok(());
    };
    remove(&running, &Link::of_hub(spoke, &paths.runtime()))
        .with_context(|| format!("cannot take the link to {spoke} from the segment's hub"))
}

fn remove(hub: &Running, link: &Link) -> Result<()> {
    let mut qmp = hub.qmp()?;
    let [name, port] = link.ids();
    for id in [port, name] {
        // There need not be one.
        let _ = qmp.execute("netdev_del", &json!({ "id": id }));
    }
    Ok(())
}

/// Refuses a socket path that the operating system would cut.
pub(super) fn fits(path: &Path) -> Result<()> {
    let length = path.as_os_str().len();
    if length > SOCKET_PATH_MAX {
        return Err(anyhow!(
            "the socket's path {} has {length} bytes, and at most {SOCKET_PATH_MAX} are allowed",
            path.display()
        ))
        .hint("give the nodes shorter names, or set XDG_RUNTIME_DIR to a shorter folder");
    }
    Ok(())
}
