//! The ports of this host that carry the segment, where it is of UDP.

use serde::Serialize;

use model::topology::{Joined, Node, NodeName, SegmentPorts, Topology};
use qemu::segment::Transport;

/// A UDP port at which one machine's QEMU listens to another's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SegmentPort {
    pub udp_port: u16,
    /// Whose QEMU listens.
    pub node: NodeName,
    /// The machine at the other end of the link.
    pub peer: NodeName,
}

/// In the order of the spokes' names, the hub's end of each link first.
pub(super) fn ports(topology: &Topology, mode: Joined, transport: Transport) -> Vec<SegmentPort> {
    let (Joined::Segment, Transport::Udp) = (mode, transport) else {
        return Vec::new();
    };
    let Some(hub) = topology.control_planes().next() else {
        return Vec::new();
    };
    let port = |udp_port, node: &Node, peer: &Node| SegmentPort {
        udp_port,
        node: node.name.clone(),
        peer: peer.name.clone(),
    };
    let spokes = topology.nodes.iter().filter(|node| node.name != hub.name);
    spokes
        .filter_map(|node| Some((node, SegmentPorts::of(node.guest()?.ssh_port)?)))
        .flat_map(|(node, ports)| [port(ports.hub, hub, node), port(ports.node, node, hub)])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Network, text};
    use super::*;
    use model::plan::sample::topology;
    use model::topology::{Cni, NetworkMode};

    /// As on macOS.
    #[test]
    fn where_the_segment_is_of_udp_its_ports_are_listed() {
        let segment = topology(Cni::Bridge, NetworkMode::Segment);
        let text = text(&Network::over(Transport::Udp, &segment));
        let table = "
UDP OF THIS HOST  READ BY      FOR
127.0.0.1:7209    hub's QEMU   the segment's link to east
127.0.0.1:2209    east's QEMU  the segment's link to hub
127.0.0.1:7207    hub's QEMU   the segment's link to west
127.0.0.1:2207    west's QEMU  the segment's link to hub
";
        assert!(text.contains(table), "{text}");
        assert!(text.contains("Ethernet over UDP on this host's 127.0.0.1 between the QEMUs"));
        let unix = Network::over(Transport::Unix, &segment);
        assert!(unix.segment_ports.is_empty());
        let user = topology(Cni::Bridge, NetworkMode::User);
        let user = Network::over(Transport::Udp, &user);
        assert!(user.segment_ports.is_empty());
    }
}
