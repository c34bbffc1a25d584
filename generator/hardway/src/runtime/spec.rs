//! The machine of each node.

use anyhow::{Result, anyhow};
use qemu::process;
use qemu::segment::{self, Transport};
use qemu::{Host, LinkPorts, MachineSpec, Place, PortForward, Segment, Spoke, Uplink};

use common::report::WithHint;
use common::state::Paths;
use model::plan::{Purpose, forwards, node_address};
use model::topology::{Guest, NetworkMode, Node, NodeName, Role, SegmentPorts, Topology};
use qemu::argv::INSTALL_MEMORY;

/// The virtual machine of `node`; an error where it is one of the user's own.
pub fn guest(node: &Node) -> Result<&Guest> {
    node.guest()
        .ok_or_else(|| {
            anyhow!(
                "{0} is a machine of your own (nodes.{0}.machine in cluster.json), not a virtual one",
                node.name
            )
        })
        .hint("`hardway export nixos-anywhere` writes what installs it, see docs/real-machines.md")
}

/// The machine of `node`; an error where it is one of the user's own.
pub fn machine(topology: &Topology, node: &Node) -> Result<MachineSpec> {
    let guest = guest(node)?;
    let forwards = forwards(topology, node).into_iter();
    let forwards = forwards.map(|forward| PortForward {
        host: forward.ports.host,
        guest: forward.ports.guest,
        setting: match forward.purpose {
            Purpose::Api => "API_PORT in cluster.env".to_owned(),
            Purpose::Ssh => ssh_setting(&node.name),
            Purpose::Kubelet | Purpose::Own => {
                format!("nodes.{}.forwards in cluster.json", node.name)
            }
        },
    });
    let segment = hub(topology).map(|hub| Segment {
        mac: guest.segment_mac.to_string(),
        place: if hub.name == node.name {
            let spokes = topology.nodes.iter().filter(|one| one.name != hub.name);
            Place::Hub(spokes.map(spoke).collect())
        } else {
            Place::Spoke(spoke(node))
        },
    });
    Ok(MachineSpec {
        name: node.name.to_string(),
        title: format!("{}-{}", topology.name, node.name),
        memory: guest.memory,
        cpus: guest.cpus,
        uplink: Uplink {
            mac: guest.uplink_mac.to_string(),
            address: (topology.network.mode == NetworkMode::User)
                .then(|| node_address(topology, node)),
            forwards: forwards.collect(),
        },
        segment,
        yields: node.role == Role::Worker,
    })
}

/// The machine that makes the base image; of `guest` it has the processors.
pub fn base(topology: &Topology, guest: &Guest) -> MachineSpec {
    MachineSpec {
        name: "base".to_owned(),
        title: format!("{}-base", topology.name),
        memory: INSTALL_MEMORY,
        cpus: guest.cpus,
        uplink: Uplink {
            mac: guest.uplink_mac.to_string(),
            address: None,
            forwards: Vec::new(),
        },
        segment: None,
        yields: false,
    }
}

/// Fails if a port of the host that the node's machine uses is taken, naming by whom.
pub fn ports_free(topology: &Topology, node: &Node) -> Result<()> {
    process::ports_free(Transport::native(), &machine(topology, node)?)
}

/// Gives the segment's hub, if it runs, a link to `node`, whose machine does not run yet: so
/// a node that is new reaches the others, and none of them is started again.
pub fn join_segment(host: &Host, paths: &Paths, topology: &Topology, node: &Node) -> Result<()> {
    match hub(topology).filter(|hub| hub.name != node.name) {
        Some(hub) => process::join_segment(host, paths, &machine(topology, hub)?, &spoke(node)),
        None => Ok(()),
    }
}

/// Takes the link to a node that is gone from the segment's hub, if that runs.
pub fn leave_segment(paths: &Paths, topology: &Topology, node: &NodeName) -> Result<()> {
    match hub(topology) {
        Some(hub) => segment::part(paths, hub.name.as_str(), node.as_str()),
        None => Ok(()),
    }
}

/// The node whose QEMU joins all others: the star's hub.
fn hub(topology: &Topology) -> Option<&Node> {
    match topology.network.mode {
        NetworkMode::Segment => topology.control_planes().next(),
        NetworkMode::User => None,
    }
}

fn spoke(node: &Node) -> Spoke {
    let ports = node
        .guest()
        .and_then(|guest| SegmentPorts::of(guest.ssh_port));
    Spoke {
        name: node.name.to_string(),
        ports: ports.map(|ports| LinkPorts {
            hub: ports.hub,
            spoke: ports.node,
        }),
        setting: ssh_setting(&node.name),
    }
}

/// What sets a node's ssh port, and the UDP ports of its link with it.
fn ssh_setting(node: &NodeName) -> String {
    format!("nodes.{node}.sshPort in cluster.json, or SSH_PORT_BASE in cluster.env")
}

#[cfg(test)]
mod tests;
