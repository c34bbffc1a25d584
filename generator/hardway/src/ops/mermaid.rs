//! A picture of a cluster as a Mermaid flowchart (https://mermaid.js.org/syntax/flowchart.html):
//! what `hardway network` lists, with each node's components and the ports they listen on.

use std::fmt::Write;

use super::network::{Member, Network};
use model::plan::Purpose;
use model::plan::{Component, NodePlan, Plan};
use model::topology::{Joined, NodeName, Role};

const API_SERVER: &str = "kube-apiserver";

/// The flowchart: this host, its machines, what runs in each, and who talks to whom.
pub fn picture(network: &Network, plan: &Plan) -> String {
    let nodes = || {
        network.nodes.iter().filter_map(|member| {
            let node = plan.nodes.iter().find(|node| node.name == member.name)?;
            Some((member, node))
        })
    };
    let on_this_host = network.mode != Joined::Machines;
    let mut text = String::from("flowchart TB\n");
    let mut line = |indent: usize, written: String| {
        let _ = writeln!(text, "{:indent$}{written}", "");
    };
    if on_this_host {
        line(2, "subgraph host [\"your computer\"]".to_owned());
        line(4, "direction LR".to_owned());
    }
    line(4, "you([\"hardway, kubectl\"])".to_owned());
    for (member, node) in nodes() {
        line(
            4,
            format!("subgraph {} [\"{}\"]", machine(&node.name), title(member)),
        );
        for (unit, component) in &node.components {
            line(
                6,
                format!("{}[\"{}\"]", id(&node.name, unit), label(unit, component)),
            );
            for needed in needs(component).filter(|one| node.components.contains_key(*one)) {
                line(
                    6,
                    format!("{} --> {}", id(&node.name, unit), id(&node.name, needed)),
                );
            }
        }
        if let Some(pods) = member.pods {
            let pods = format!("{}(\"Pods<br>{pods}\")", id(&node.name, "pods"));
            line(6, format!("{} --> {pods}", id(&node.name, "containerd")));
        }
        line(4, "end".to_owned());
    }
    if let Some(segment) = network.segment {
        line(
            4,
            format!("segment{{{{\"the nodes' network<br>{segment}\"}}}}"),
        );
    }
    if on_this_host {
        line(2, "end".to_owned());
    }
    for forward in &network.forwards {
        let (arrow, what, to) = match forward.purpose {
            Purpose::Api => ("-->", "", id(&forward.node, API_SERVER)),
            Purpose::Kubelet => ("-.->", "kubelet ", id(&forward.node, "kubelet")),
            Purpose::Ssh => ("-.->", "ssh ", machine(&forward.node)),
            Purpose::Own => ("-.->", "", machine(&forward.node)),
        };
        let port = forward.host_port;
        line(2, format!("you {arrow}|\"{what}127.0.0.1:{port}\"| {to}"));
    }
    for (member, node) in nodes() {
        let of_node = |unit: &str| id(&node.name, unit);
        match (member.role, network.segment) {
            (Role::ControlPlane, Some(_)) => {
                line(2, format!("{} --- segment", of_node(API_SERVER)));
            }
            (Role::ControlPlane, None) => {}
            (Role::Worker, Some(_)) => {
                for unit in clients(node) {
                    line(2, format!("segment --- {}", of_node(unit)));
                }
            }
            (Role::Worker, None) => {
                for unit in clients(node) {
                    for server in control_planes(network) {
                        let (at, to) = (&server.reached_at, id(&server.name, API_SERVER));
                        line(2, format!("{} -->|\"{at}\"| {to}", of_node(unit)));
                    }
                }
            }
        }
    }
    text
}

fn control_planes(network: &Network) -> impl Iterator<Item = &Member> {
    let nodes = network.nodes.iter();
    nodes.filter(|member| member.role == Role::ControlPlane)
}

/// The components of the same node that this one calls.
fn needs(component: &Component) -> impl Iterator<Item = &str> {
    let units = component.requires.iter().chain(&component.after);
    units.filter_map(|unit| unit.strip_suffix(".service"))
}

/// The worker's components that call the API server: no other component starts them.
fn clients(node: &NodePlan) -> impl Iterator<Item = &str> {
    let needed: Vec<&str> = node.components.values().flat_map(needs).collect();
    let units = node.components.keys().map(String::as_str);
    units.filter(move |unit| !needed.contains(unit))
}

fn title(member: &Member) -> String {
    let role = match member.role {
        Role::ControlPlane => "control plane",
        Role::Worker => "worker",
    };
    format!("{}: {role}, {}", member.name, member.address)
}

/// The component and its ports, as `ss -ltn` shows them on the node.
fn label(unit: &str, component: &Component) -> String {
    let ports: Vec<String> = component.ports.iter().map(ToString::to_string).collect();
    match ports.is_empty() {
        true => unit.to_owned(),
        false => format!("{unit}<br>{}", ports.join(", ")),
    }
}

/// What Mermaid calls a component. Names of nodes and units have no underscore, so no two
/// are the same, and none is a word of Mermaid's own.
fn id(node: &NodeName, unit: &str) -> String {
    format!("{node}_{unit}")
}

/// What Mermaid calls a machine.
fn machine(node: &NodeName) -> String {
    format!("{node}_")
}
