//! What the nodes know of each other: the options that grow with the number of nodes. It
//! stands once, in hosts/peers.nix; a node's module says which part of it is an option's value.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::Serialize;
use serde_json::{Value, json};

use super::network;
use crate::topology::{Cni, Joined, Machine, Node, NodeName, Role, Topology};

/// What becomes `hosts/peers.nix`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Peers {
    /// Every node's name, by its address.
    pub hosts: BTreeMap<Ipv4Addr, Vec<NodeName>>,
    /// The route to each worker's Pods, in the words of the option that takes it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub routes: BTreeMap<NodeName, Value>,
}

/// A NixOS option whose value is a part of [`Peers`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PeerOption {
    /// The option's path, an attribute an item.
    pub path: Vec<String>,
    pub part: Part,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    Hosts,
    /// A list of all routes, but for that to the node's own Pods.
    Routes {
        except: Option<NodeName>,
    },
}

/// None in user mode: there each node reaches itself elsewhere than the others do.
pub fn peers(topology: &Topology) -> Option<Peers> {
    let joined = topology.joined();
    let route: fn(&Node) -> Value = match joined {
        Joined::User => return None,
        Joined::Segment => |to: &Node| json!({ "Destination": to.pod_cidr, "Gateway": to.address }),
        Joined::Machines => |to: &Node| {
            json!({
                "address": to.pod_cidr.network(),
                "prefixLength": to.pod_cidr.prefix_len(),
                "via": to.address,
            })
        },
    };
    let mut hosts: BTreeMap<Ipv4Addr, Vec<NodeName>> = BTreeMap::new();
    for node in &topology.nodes {
        let names = hosts.entry(node.address).or_default();
        names.push(node.name.clone());
    }
    let routes = match topology.cni {
        Cni::Bridge => topology
            .workers()
            .map(|to| (to.name.clone(), route(to)))
            .collect(),
        Cni::Cilium => BTreeMap::new(),
    };
    Some(Peers { hosts, routes })
}

/// What `node` takes of it.
pub(super) fn options(topology: &Topology, node: &Node) -> Vec<PeerOption> {
    if topology.joined() == Joined::User {
        return Vec::new();
    }
    let option = |path: &[&str], part| PeerOption {
        path: path.iter().map(ToString::to_string).collect(),
        part,
    };
    let mut options = vec![option(&["networking", "hosts"], Part::Hosts)];
    if topology.cni == Cni::Bridge {
        let routes = Part::Routes {
            except: (node.role == Role::Worker).then(|| node.name.clone()),
        };
        match &node.machine {
            Machine::Guest(_) => options.push(option(
                &["systemd", "network", "networks", network::SEGMENT, "routes"],
                routes,
            )),
            // Beside whatever the user's module says of the interface.
            Machine::Remote(remote) => {
                let interface = remote.interface.as_ref();
                options.extend(interface.map(|interface| {
                    let path = [
                        "networking",
                        "interfaces",
                        interface.as_str(),
                        "ipv4",
                        "routes",
                    ];
                    option(&path, routes)
                }));
            }
        }
    }
    options
}
