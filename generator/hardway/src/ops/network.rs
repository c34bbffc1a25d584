//! Who reaches whom in a cluster, and how: what a learner would otherwise piece together
//! from QEMU's arguments, networkd's files and the CNI's. A pure function of the topology.

use std::fmt::Write;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde::Serialize;

use super::table::{Cell, table};
use model::plan::{Purpose, forwards};
use model::plan::{
    advertised_address, api_secure_port, dns_address, interface, kubelet_port, node_address,
};
use model::topology::{Cni, Joined, Node, NodeName, Role, Topology};
use qemu::segment::Transport;

mod segment;

pub use self::segment::SegmentPort;

/// The whole of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Network {
    pub cluster: String,
    pub mode: Joined,
    pub cni: Cni,
    pub pods: Ipv4Net,
    pub services: Ipv4Net,
    /// The layer-2 segment, where there is one.
    pub segment: Option<Ipv4Net>,
    /// The Service `kubernetes`, which is the API server to Pods.
    pub api_service: Ipv4Addr,
    /// The Service of the cluster's DNS.
    pub dns_service: Ipv4Addr,
    pub nodes: Vec<Member>,
    /// Every port of this host's 127.0.0.1 that leads into a guest.
    pub forwards: Vec<Door>,
    /// Every UDP port of this host's 127.0.0.1 that carries the segment; none where Unix
    /// sockets do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub segment_ports: Vec<SegmentPort>,
    pub ways: Vec<Way>,
}

/// A node's place in the network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    pub name: NodeName,
    pub role: Role,
    /// Its InternalIP.
    pub address: Ipv4Addr,
    /// The interface that has this address, where the topology knows it.
    pub interface: Option<String>,
    pub mac: Option<String>,
    /// Whence the other nodes reach it: `address:port` of its API server or kubelet.
    pub reached_at: String,
    /// The addresses of its Pods; a control plane runs none.
    pub pods: Option<Ipv4Net>,
}

/// A forwarded port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Door {
    pub host_port: u16,
    pub node: NodeName,
    pub guest_port: u16,
    pub purpose: Purpose,
}

/// One of the ways.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Way {
    pub from: &'static str,
    pub to: &'static str,
    /// Whether there is a way at all.
    pub open: bool,
    pub how: String,
}

impl Network {
    /// As it is on this host.
    pub fn of(topology: &Topology) -> Self {
        Self::over(Transport::native(), topology)
    }

    fn over(transport: Transport, topology: &Topology) -> Self {
        let mode = topology.joined();
        let doors = |node: &Node| -> Vec<Door> {
            if node.remote().is_some() {
                return Vec::new();
            }
            forwards(topology, node)
                .into_iter()
                .map(|forwarded| Door {
                    host_port: forwarded.ports.host,
                    node: node.name.clone(),
                    guest_port: forwarded.ports.guest,
                    purpose: forwarded.purpose,
                })
                .collect()
        };
        Self {
            cluster: topology.name.clone(),
            mode,
            cni: topology.cni,
            pods: topology.network.pods,
            services: topology.network.services,
            segment: (mode == Joined::Segment).then_some(topology.network.segment),
            api_service: topology.service_address(1),
            dns_service: dns_address(topology),
            nodes: topology
                .nodes
                .iter()
                .map(|node| member(topology, mode, node))
                .collect(),
            forwards: topology.nodes.iter().flat_map(doors).collect(),
            segment_ports: segment::ports(topology, mode, transport),
            ways: ways(topology, mode, transport),
        }
    }
}

fn member(topology: &Topology, mode: Joined, node: &Node) -> Member {
    let port = match node.role {
        Role::ControlPlane => api_secure_port(topology),
        Role::Worker => kubelet_port(topology, node),
    };
    let own = node
        .remote()
        .and_then(|remote| remote.interface.as_ref())
        .map(|name| name.as_str().to_owned());
    Member {
        name: node.name.clone(),
        role: node.role,
        address: node_address(topology, node),
        interface: own.or_else(|| interface(topology).map(ToOwned::to_owned)),
        mac: node.guest().map(|guest| match mode {
            Joined::Segment => guest.segment_mac.to_string(),
            Joined::User | Joined::Machines => guest.uplink_mac.to_string(),
        }),
        reached_at: format!("{}:{port}", advertised_address(topology, node)),
        pods: (node.role == Role::Worker).then_some(node.pod_cidr),
    }
}

fn ways(topology: &Topology, mode: Joined, transport: Transport) -> Vec<Way> {
    let hub = topology
        .control_planes()
        .next()
        .map_or_else(String::new, |node| node.name.to_string());
    let api_port = api_secure_port(topology);
    let first = topology.service_address(1);
    let mut ways = Vec::new();
    let mut add = |from, to, open, how: String| {
        ways.push(Way {
            from,
            to,
            open,
            how,
        });
    };
    match mode {
        Joined::Segment => add(
            "node",
            "node",
            true,
            format!(
                "segment0: Ethernet over {} between the QEMUs; {hub}'s is the \
                 hub, so while {hub} is off the others do not reach each other",
                match transport {
                    Transport::Unix => "Unix datagram sockets",
                    Transport::Udp => "UDP on this host's 127.0.0.1",
                }
            ),
        ),
        Joined::User => add(
            "node",
            "node",
            true,
            "uplink0, through this host: 10.0.2.2 and a forwarded port, and by no other port"
                .to_owned(),
        ),
        Joined::Machines => add("node", "node", true, "your own network".to_owned()),
    }
    add(
        "worker",
        "API server",
        true,
        match mode {
            Joined::User => format!("10.0.2.2:{api_port}, which this host forwards to {hub}"),
            Joined::Segment | Joined::Machines => format!("{hub}'s address, port {api_port}"),
        },
    );
    let kubelets: Vec<String> = topology
        .workers()
        .map(|node| {
            let address = advertised_address(topology, node);
            format!(
                "{} at {address}:{}",
                node.name,
                kubelet_port(topology, node)
            )
        })
        .collect();
    add(
        "API server",
        "kubelet",
        true,
        format!(
            "for logs, exec and port-forward: {}{}",
            kubelets.join(", "),
            match mode {
                Joined::User => ", which this host forwards",
                Joined::Segment | Joined::Machines => "",
            }
        ),
    );
    add(
        "Pod",
        "Pod of the same node",
        true,
        match topology.cni {
            Cni::Bridge => "the node's bridge",
            Cni::Cilium => "Cilium's eBPF programs at the Pods' interfaces",
        }
        .to_owned(),
    );
    let (open, how) = match (topology.cni, mode) {
        (_, Joined::User) => (
            false,
            "no way: a guest's user-mode NIC takes only what this host forwards",
        ),
        (Cni::Bridge, _) => (
            true,
            "a static route on each worker: another's Pods via that worker's address",
        ),
        (Cni::Cilium, _) => (true, "VXLAN: UDP 8472 between the nodes' addresses"),
    };
    add("Pod", "Pod of another node", open, how.to_owned());
    let balancer = match topology.cni {
        Cni::Bridge => "kube-proxy's nftables rules pick a Pod, on the node of the one who asks",
        Cni::Cilium => "Cilium picks a Pod, on the node of the one who asks",
    };
    add("Pod", "Service", true, balancer.to_owned());
    add(
        "Pod",
        "API server",
        true,
        format!("the Service kubernetes, {first}:443"),
    );
    match mode {
        Joined::Machines => {}
        Joined::Segment | Joined::User => {
            add(
                "node and Pod",
                "internet",
                true,
                "uplink0: each guest has a user-mode NIC of its own, and this host's connection"
                    .to_owned(),
            );
            add(
                "Pod",
                "this host",
                false,
                match mode {
                    Joined::User => format!(
                        "dropped on each worker, port {api_port} and name resolution aside: \
                         10.0.2.2 is this host's loopback"
                    ),
                    Joined::Segment | Joined::Machines => {
                        "dropped on each worker, name resolution aside: 10.0.2.2 would be this \
                         host's loopback"
                            .to_owned()
                    }
                },
            );
        }
    }
    add(
        "this host",
        "Pod and Service",
        false,
        "no route; kubectl port-forward makes a way through the API server".to_owned(),
    );
    ways
}

/// As people read it.
pub fn text(network: &Network) -> String {
    let mode = match network.mode {
        Joined::Segment => "a segment between the guests",
        Joined::User => "user-mode NICs only",
        Joined::Machines => "machines of your own",
    };
    let cni = match network.cni {
        Cni::Bridge => "bridge",
        Cni::Cilium => "cilium",
    };
    let mut text = format!("{}: {mode}, cni {cni}\n\n", network.cluster);
    if let Some(segment) = network.segment {
        let _ = writeln!(text, "nodes     {segment}");
    }
    let _ = writeln!(text, "Pods      {}, a /24 a worker", network.pods);
    let _ = writeln!(
        text,
        "Services  {}: the API server is {}, DNS {}\n",
        network.services, network.api_service, network.dns_service
    );
    let or_dash = |text: Option<String>| Cell::plain(text.unwrap_or_else(|| "-".to_owned()));
    let rows: Vec<Vec<Cell>> = network
        .nodes
        .iter()
        .map(|node| {
            vec![
                Cell::plain(node.name.as_str()),
                Cell::plain(node.role.to_string()),
                Cell::plain(node.address.to_string()),
                or_dash(node.interface.clone()),
                or_dash(node.mac.clone()),
                Cell::plain(node.reached_at.clone()),
                or_dash(node.pods.map(|pods| pods.to_string())),
            ]
        })
        .collect();
    text += &table(
        &[
            "NAME",
            "ROLE",
            "INTERNAL-IP",
            "INTERFACE",
            "MAC",
            "REACHED-AT",
            "PODS",
        ],
        &rows,
    );
    if !network.forwards.is_empty() {
        text.push('\n');
        let rows: Vec<Vec<Cell>> = network
            .forwards
            .iter()
            .map(|door| {
                vec![
                    Cell::plain(format!("127.0.0.1:{}", door.host_port)),
                    Cell::plain(format!("{}:{}", door.node, door.guest_port)),
                    Cell::plain(match door.purpose {
                        Purpose::Api => "the API server, for kubectl and hardway",
                        Purpose::Kubelet => "its kubelet, for the API server",
                        Purpose::Ssh => "its sshd, for hardway ssh",
                        Purpose::Own => "\"forwards\" in cluster.json",
                    }),
                ]
            })
            .collect();
        text += &table(&["THIS HOST", "LEADS TO", "FOR"], &rows);
    }
    if !network.segment_ports.is_empty() {
        text.push('\n');
        let rows: Vec<Vec<Cell>> = network
            .segment_ports
            .iter()
            .map(|port| {
                vec![
                    Cell::plain(format!("127.0.0.1:{}", port.udp_port)),
                    Cell::plain(format!("{}'s QEMU", port.node)),
                    Cell::plain(format!("the segment's link to {}", port.peer)),
                ]
            })
            .collect();
        text += &table(&["UDP OF THIS HOST", "READ BY", "FOR"], &rows);
    }
    for way in &network.ways {
        let _ = write!(text, "\n{} to {}\n    {}\n", way.from, way.to, way.how);
    }
    text
}
