//! The rootless layer-2 segment between the guests.
//!
//! A star of point-to-point links over Unix datagram sockets, joined by a hub in
//! the control plane's QEMU. Unlike QEMU's stream sockets it has no server that
//! must be first, it survives the death and return of either side, and a stopped
//! peer slows nobody. QEMU has `-netdev dgram` since 7.2.

use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};

use crate::report::WithHint;
use crate::topology::{Node, Role, Topology};

/// The longest path of a Unix socket: macOS' sockaddr_un, less its final zero.
const SOCKET_PATH_MAX: usize = 103;

/// One end of a link: where this node listens, and where its peer does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    pub local: PathBuf,
    pub remote: PathBuf,
}

/// The links of `node`: the hub has one to each other node, the others one to the hub.
pub(super) fn links(topology: &Topology, node: &Node, runtime: &Path) -> Vec<Link> {
    let Some(hub) = topology
        .nodes
        .iter()
        .find(|one| one.role == Role::ControlPlane)
    else {
        return Vec::new();
    };
    // Each end is named after the spoke: two names in one would leave a doubt
    // whose dash it is (`a-b` to `c`, `a` to `b-c`).
    let end = |spoke: &Node, kind: &str| runtime.join(format!("{}.{kind}", spoke.name));
    if node.name == hub.name {
        let spokes = topology.nodes.iter().filter(|one| one.name != hub.name);
        spokes
            .map(|spoke| Link {
                local: end(spoke, "hub"),
                remote: end(spoke, "seg"),
            })
            .collect()
    } else {
        vec![Link {
            local: end(node, "seg"),
            remote: end(node, "hub"),
        }]
    }
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
