//! Who is new, who is there, and who is gone: cluster.json beside the machines that
//! there are. What `up` will do about it is known before it does any of it.

use std::net::Ipv4Addr;

use anyhow::{Result, anyhow};
use serde::Serialize;

use super::would::Would;
use super::{lock, machines};
use crate::deploy::install;
use qemu::process::{self, Running};

use common::report::{Hint, WithHint};
use common::state::Paths;
use model::plan::node_address;
use model::topology::{Joined, Node, NodeName, Role, Topology};

/// A machine's folder, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    name: NodeName,
    /// Whether it was made for a control plane.
    control_plane: bool,
    installed: bool,
    running: bool,
    /// It runs, and `up` starts it again: its sockets are gone.
    lost: bool,
    /// The address that it was installed with, where that was noted.
    address: Option<Ipv4Addr>,
}

/// What `up` does with each machine, names sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// No whole installation.
    pub install: Vec<NodeName>,
    /// Off.
    pub start: Vec<NodeName>,
    /// Running, without sockets: shut down and started again.
    pub restart: Vec<NodeName>,
    /// Running already.
    pub stay: Vec<NodeName>,
    /// No longer in cluster.json.
    pub leave: Vec<NodeName>,
}

/// Looks at the machines that there are; changes none. An error where what cluster.json
/// asks for is none of `up`'s to do.
pub fn changes(paths: &Paths, topology: &Topology) -> Result<Changes> {
    if topology.remote().is_some() {
        return Ok(Changes::default());
    }
    // A machine that another `up` starts in this moment has no sockets yet.
    let at_work = lock::check(paths).is_err();
    let seen = machines::known(paths)?.into_iter().map(|name| {
        let running = process::find(paths, &name);
        let lost = running.as_ref().and_then(Running::lost_sockets);
        Seen {
            control_plane: pki::has_etcd(paths, &name),
            installed: paths.node(&name).installed().is_file(),
            running: running.is_some(),
            lost: !at_work && lost.is_some_and(|lost| !lost.elsewhere),
            address: install::record(paths, &name).and_then(|record| record.address),
            name,
        }
    });
    compare(topology, &seen.collect::<Vec<_>>())
}

/// A machine that cluster.json no longer has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Leftover {
    pub name: NodeName,
    pub control_plane: bool,
    pub running: bool,
}

/// The machines that `up` removes, and the control planes that it refuses to.
pub fn leftovers(paths: &Paths, topology: &Topology) -> Result<Vec<Leftover>> {
    if topology.remote().is_some() {
        return Ok(Vec::new());
    }
    let mut known = machines::known(paths)?;
    known.retain(|name| topology.node(name.as_str()).is_none());
    let leftovers = known.into_iter().map(|name| Leftover {
        control_plane: pki::has_etcd(paths, &name),
        running: process::find(paths, &name).is_some(),
        name,
    });
    Ok(leftovers.collect())
}

/// What to do about a control plane that cluster.json no longer has.
pub(super) fn give_back(name: &NodeName) -> String {
    format!(
        "give cluster.json back its node {name}; a cluster with another control plane is \
         another cluster: hardway destroy, then hardway up"
    )
}

fn compare(topology: &Topology, seen: &[Seen]) -> Result<Changes> {
    let mut changes = Changes::default();
    for node in &topology.nodes {
        let found = seen.iter().find(|one| one.name == node.name);
        let list = match found {
            Some(one) if one.installed && one.lost => &mut changes.restart,
            Some(one) if one.installed && one.running => &mut changes.stay,
            Some(one) if one.installed => &mut changes.start,
            _ => &mut changes.install,
        };
        list.push(node.name.clone());
        if let Some(before) = found.and_then(|one| one.address)
            && before != node_address(topology, node)
        {
            return Err(moved(topology, node, before));
        }
    }
    for one in seen {
        if topology.node(one.name.as_str()).is_some() {
            continue;
        }
        if one.control_plane {
            return Err(anyhow!(
                "cluster.json no longer has {}, which is a control plane: etcd's data is on its disk",
                one.name
            ))
            .hint(give_back(&one.name));
        }
        changes.leave.push(one.name.clone());
    }
    Ok(changes)
}

/// Its certificates, its Node and what the others know of it are about the old address.
fn moved(topology: &Topology, node: &Node, before: Ipv4Addr) -> anyhow::Error {
    let name = &node.name;
    let error = anyhow!(
        "{name} was installed with the address {before}, and would have {} now",
        node_address(topology, node)
    );
    let hint = match (topology.joined(), node.role) {
        (Joined::User, _) => "in user mode addresses and kubelet ports go by the order of \
             \"address\" in cluster.json: give a new node the highest, and take out the one \
             that has it"
            .to_owned(),
        (_, Role::ControlPlane) => {
            "give it back its address; another one is another cluster: hardway destroy, then \
             hardway up"
                .to_owned()
        }
        (_, Role::Worker) => format!(
            "give it back its address; or take {name} out of cluster.json, `hardway up`, and put \
             it in again"
        ),
    };
    error.context(Hint(hint))
}

impl Changes {
    /// The machines that `up` starts, names sorted.
    pub fn starts(&self) -> Vec<NodeName> {
        let mut starts = [&self.start[..], &self.restart].concat();
        starts.sort();
        starts
    }

    /// What `up` would do.
    pub fn tell(&self, would: &mut Would) {
        let mut step = |what: &str, names: &[NodeName], then: &str| {
            if !names.is_empty() {
                would.step(format!("{what}{}{then}", listed(names)));
            }
        };
        step("install and start ", &self.install, "");
        step("start ", &self.start, "");
        for name in &self.restart {
            let one = std::slice::from_ref(name);
            step(
                "shut down ",
                one,
                " and start it again (its sockets are gone)",
            );
        }
        step("leave ", &self.stay, " running");
        if !self.install.is_empty() || !self.leave.is_empty() {
            step("bring host names and routes up to date on ", &self.stay, "");
        }
        for name in &self.leave {
            let one = std::slice::from_ref(name);
            step(
                "evict the Pods of ",
                one,
                ", delete its Node and shut it down",
            );
            step("remove the disk, keys and certificates of ", one, "");
        }
    }
}

/// `alpha, gamma and sigma`
pub fn listed(names: &[NodeName]) -> String {
    let names: Vec<&str> = names.iter().map(NodeName::as_str).collect();
    match names.as_slice() {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::report::render;
    use model::plan::sample;
    use model::topology::{Cni, NetworkMode};

    fn seen(name: &str, installed: bool, running: bool) -> Seen {
        Seen {
            name: NodeName::parse(name).unwrap(),
            control_plane: name == "hub",
            installed,
            running,
            lost: false,
            address: None,
        }
    }

    fn names(names: &[&str]) -> Vec<NodeName> {
        let names = names.iter().map(|name| NodeName::parse(name).unwrap());
        names.collect()
    }

    fn text(changes: &Changes) -> String {
        let mut would = Would::default();
        changes.tell(&mut would);
        would.text()
    }

    #[test]
    fn who_is_new_and_who_is_gone() {
        let topology = sample::topology(Cni::Bridge, NetworkMode::Segment);
        // `north` has been removed in part, `east` installed in part.
        let found = [
            seen("east", false, false),
            seen("hub", true, true),
            seen("north", false, false),
            seen("south", true, true),
            seen("west", true, false),
        ];
        let changes = compare(&topology, &found).unwrap();
        assert_eq!(
            changes,
            Changes {
                install: names(&["east"]),
                start: names(&["west"]),
                restart: Vec::new(),
                stay: names(&["hub"]),
                leave: names(&["north", "south"]),
            }
        );
        assert_eq!(
            text(&changes),
            "\
would install and start east
would start west
would leave hub running
would bring host names and routes up to date on hub
would evict the Pods of north, delete its Node and shut it down
would remove the disk, keys and certificates of north
would evict the Pods of south, delete its Node and shut it down
would remove the disk, keys and certificates of south
"
        );
        let mut lost = seen("west", true, true);
        lost.lost = true;
        let changes = compare(&topology, &[seen("east", true, false), lost]).unwrap();
        assert_eq!(changes.starts(), names(&["east", "west"]));
        assert_eq!(
            text(&changes),
            "\
would install and start hub
would start east
would shut down west and start it again (its sockets are gone)
"
        );
        let all = compare(&topology, &[]).unwrap();
        assert_eq!(text(&all), "would install and start east, hub and west\n");
    }

    #[test]
    fn a_control_plane_does_not_leave() {
        let mut topology = sample::topology(Cni::Bridge, NetworkMode::Segment);
        topology.nodes.retain(|node| node.name.as_str() != "hub");
        let error = compare(&topology, &[seen("hub", true, true)]).unwrap_err();
        assert_eq!(
            render(&error),
            "\
error: cluster.json no longer has hub, which is a control plane: etcd's data is on its disk
hint: give cluster.json back its node hub; a cluster with another control plane is another \
cluster: hardway destroy, then hardway up
"
        );
    }

    /// In user mode a node's address is its rank: one that comes or goes below it moves it.
    #[test]
    fn a_node_keeps_its_address() {
        let moved = |mode, before: &str, name| {
            let mut found = seen(name, true, true);
            found.address = Some(before.parse().unwrap());
            let topology = sample::topology(Cni::Bridge, mode);
            compare(&topology, &[found]).map_err(|error| render(&error))
        };
        assert!(moved(NetworkMode::Segment, "172.20.5.9", "east").is_ok());
        assert!(moved(NetworkMode::User, "10.0.2.17", "east").is_ok());
        assert_eq!(
            moved(NetworkMode::Segment, "172.20.5.8", "east").unwrap_err(),
            "\
error: east was installed with the address 172.20.5.8, and would have 172.20.5.9 now
hint: give it back its address; or take east out of cluster.json, `hardway up`, and put it in again
"
        );
        assert_eq!(
            moved(NetworkMode::User, "10.0.2.16", "east").unwrap_err(),
            "\
error: east was installed with the address 10.0.2.16, and would have 10.0.2.17 now
hint: in user mode addresses and kubelet ports go by the order of \"address\" in cluster.json: \
give a new node the highest, and take out the one that has it
"
        );
        let error = moved(NetworkMode::Segment, "172.20.5.6", "hub").unwrap_err();
        assert!(error.ends_with("hint: give it back its address; another one is another cluster: hardway destroy, then hardway up\n"), "{error}");
    }
}
