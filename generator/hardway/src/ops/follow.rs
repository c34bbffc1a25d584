//! What a running node has to know of the others: their names, and with the bridge CNI
//! the ways to their Pods. Where nodes have come or gone since it was installed, that is
//! set in the guest as it runs: nothing is started again for it.
//!
//! It lasts until the guest's next boot, and the next `up` sets it again, as long as the
//! node's configuration is an older one: `hardway apply` makes it last.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use anyhow::{Context, Result, bail};
use ipnet::Ipv4Net;

use super::at_once::at_once;
use super::install::Site;
use super::limits::Limits;
use crate::deploy::install;
use common::report::WithHint;
use model::plan::{hosts, interface};
use model::topology::{Cni, Joined, Node, NodeName, Topology};
use qemu::agent::{Agent, Output};
use qemu::process;

/// Where a distribution has `ip`; the guest agent's PATH need not.
const PATH: &str = "PATH=$PATH:/run/current-system/sw/bin:/usr/sbin:/sbin";

/// Between the hosts file and the routes.
const MARK: &str = "\n--routes--\n";

/// Which nodes had to be told, by name.
pub(super) type Told = Vec<NodeName>;

/// Tells every running node whose configuration is an older one; where someone goes, every
/// one, since a node may have been installed before that one came. `gone`: who is not to
/// be known any more; where that is not said, nothing is taken away.
pub(super) fn follow(site: &Site<'_>, limits: Limits, gone: Option<&[NodeName]>) -> Result<Told> {
    let all = gone.is_some_and(|gone| !gone.is_empty());
    let mut stale = Vec::new();
    for node in &site.topology.nodes {
        if process::find(site.paths, &node.name).is_some()
            && (all || install::drift(site.paths, site.topology, site.plan, node)?)
        {
            stale.push(node);
        }
    }
    let told = at_once(&stale, |node| tell(site, limits, node, gone));
    let mut names = Vec::new();
    for (node, told) in stale.into_iter().zip(told) {
        let told = told
            .with_context(|| format!("{} does not know which nodes there are", node.name))
            .hint("`hardway up` tries again; `hardway status` tells how the node is")?;
        if told {
            names.push(node.name.clone());
        }
    }
    Ok(names)
}

/// True if there was anything to tell.
fn tell(site: &Site<'_>, limits: Limits, node: &Node, gone: Option<&[NodeName]>) -> Result<bool> {
    let running = process::find(site.paths, &node.name).context("its machine has ended")?;
    let mut agent = running.agent()?;
    let device = match site.topology.joined() {
        Joined::Segment if site.topology.cni == Cni::Bridge => interface(site.topology),
        _ => None,
    };
    let show = device.map_or_else(
        || ":".to_owned(),
        |device| format!("ip -4 route show dev {device}"),
    );
    let seen = sh(
        &mut agent,
        limits,
        &format!(
            "{PATH}; cat /etc/hosts && printf '{}' && {show}",
            MARK.replace('\n', "\\n")
        ),
        None,
    )?;
    let (known, shown) = seen
        .stdout
        .split_once(MARK)
        .context("no routes were shown")?;
    let mut script = String::new();
    let wanted = text(known, &hosts(site.topology, node), gone.unwrap_or_default());
    if wanted != known {
        // Renamed over it: on NixOS it is a link into the store.
        script += "printf %s \"$1\" >/etc/hosts.new\nchmod 644 /etc/hosts.new\nmv -f /etc/hosts.new /etc/hosts\n";
    }
    if let Some(device) = device {
        for change in routes(site.topology, node, shown, gone.is_some()) {
            script += &format!("ip -4 route {} dev {device}\n", change.words());
        }
    }
    if script.is_empty() {
        return Ok(false);
    }
    sh(
        &mut agent,
        limits,
        &format!("set -e; {PATH}\n{script}"),
        Some(&wanted),
    )?;
    Ok(true)
}

fn sh(agent: &mut Agent, limits: Limits, script: &str, argument: Option<&str>) -> Result<Output> {
    let mut command = vec!["/bin/sh", "-c", script, "sh"];
    command.extend(argument);
    let output = agent.exec(&command, limits.command())?;
    if output.code != 0 {
        bail!("{}", output.stderr.trim());
    }
    Ok(output)
}

/// /etc/hosts with every node's name where `wanted` has it, and without those who are gone;
/// what else is in it stays as it is.
fn text(known: &str, wanted: &BTreeMap<Ipv4Addr, Vec<NodeName>>, gone: &[NodeName]) -> String {
    let ours = |name: &str| {
        let mut ours = wanted.values().flatten().chain(gone);
        ours.any(|one| one.as_str() == name)
    };
    let mut missing = wanted.clone();
    let mut lines: Vec<String> = Vec::new();
    for line in known.lines() {
        let mut words = line.split_whitespace();
        let address: Option<Ipv4Addr> = words.next().and_then(|word| word.parse().ok());
        let names: Vec<&str> = words.collect();
        match address {
            // One of its own (127.0.0.2), or a person's.
            Some(address) if !address.is_loopback() && names.iter().any(|name| ours(name)) => {
                let Some(wanted) = missing.remove(&address) else {
                    continue;
                };
                let named: Vec<&str> = names.into_iter().filter(|name| ours(name)).collect();
                lines.push(match named == words_of(&wanted) {
                    true => line.to_owned(),
                    false => host(address, &wanted),
                });
            }
            _ => lines.push(line.to_owned()),
        }
    }
    lines.extend(missing.iter().map(|(address, names)| host(*address, names)));
    lines.push(String::new());
    lines.join("\n")
}

fn host(address: Ipv4Addr, names: &[NodeName]) -> String {
    format!("{address} {}", words_of(names).join(" "))
}

fn words_of(names: &[NodeName]) -> Vec<&str> {
    names.iter().map(NodeName::as_str).collect()
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Change {
    Set(Ipv4Net, Ipv4Addr),
    Remove(Ipv4Net, Ipv4Addr),
}

impl Change {
    fn words(&self) -> String {
        match self {
            Self::Set(to, via) => format!("replace {to} via {via}"),
            Self::Remove(to, via) => format!("del {to} via {via}"),
        }
    }
}

/// What differs between the routes to other nodes' Pods, as `ip route show` has them, and
/// those that there should be.
fn routes(topology: &Topology, node: &Node, shown: &str, remove: bool) -> Vec<Change> {
    let mut missing: BTreeMap<Ipv4Net, Ipv4Addr> = topology
        .workers()
        .filter(|other| other.name != node.name)
        .map(|other| (other.pod_cidr, other.address))
        .collect();
    let mut changes = Vec::new();
    for line in shown.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [to, "via", via, ..] = words.as_slice() else {
            continue;
        };
        let (Ok(to), Ok(via)) = (to.parse::<Ipv4Net>(), via.parse::<Ipv4Addr>()) else {
            continue;
        };
        match missing.get(&to) {
            Some(wanted) if *wanted == via => {
                missing.remove(&to);
            }
            None if remove && topology.network.pods.contains(&to) => {
                changes.push(Change::Remove(to, via));
            }
            _ => {}
        }
    }
    changes.extend(missing.into_iter().map(|(to, via)| Change::Set(to, via)));
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::plan::sample;
    use model::topology::NetworkMode;

    fn name(text: &str) -> NodeName {
        NodeName::parse(text).unwrap()
    }

    #[test]
    fn a_hosts_file_gets_the_new_and_loses_the_gone() {
        let topology = sample::topology(Cni::Bridge, NetworkMode::Segment);
        let wanted = hosts(&topology, topology.node("west").unwrap());
        let known = "\
127.0.0.1 localhost
127.0.0.2 west
::1 localhost
172.20.5.5 hub.example hub
172.20.5.7 west
172.20.5.8 south
172.20.5.1 registry
";
        let kept = text(known, &wanted, &[]);
        assert_eq!(kept, format!("{known}172.20.5.9 east\n"));
        let all = text(&kept, &wanted, &[name("south")]);
        assert_eq!(all, kept.replace("172.20.5.8 south\n", ""));
        assert_eq!(text(&all, &wanted, &[name("south")]), all, "once is enough");
    }

    /// In user mode all others have one address.
    #[test]
    fn names_that_share_an_address_stay_on_one_line() {
        let topology = sample::topology(Cni::Bridge, NetworkMode::User);
        let wanted = hosts(&topology, topology.node("hub").unwrap());
        let known = "127.0.0.1 localhost\n10.0.2.15 hub\n10.0.2.2 west south\n";
        assert_eq!(
            text(known, &wanted, &[name("south")]),
            "127.0.0.1 localhost\n10.0.2.15 hub\n10.0.2.2 east west\n"
        );
    }

    #[test]
    fn routes_to_the_new_are_set_and_to_the_gone_removed() {
        let topology = sample::topology(Cni::Bridge, NetworkMode::Segment);
        let hub = topology.node("hub").unwrap();
        let shown = "\
172.20.5.0/24 proto kernel scope link src 172.20.5.5
172.21.7.0/24 via 172.20.5.7 proto static
172.21.8.0/24 via 172.20.5.8 proto static
192.0.2.0/24 via 172.20.5.1 proto static
";
        let words = |remove| -> Vec<String> {
            let changes = routes(&topology, hub, shown, remove);
            changes.iter().map(Change::words).collect()
        };
        assert_eq!(words(false), ["replace 172.21.9.0/24 via 172.20.5.9"]);
        assert_eq!(
            words(true),
            [
                "del 172.21.8.0/24 via 172.20.5.8",
                "replace 172.21.9.0/24 via 172.20.5.9"
            ]
        );
        let west = topology.node("west").unwrap();
        let done = "172.21.9.0/24 via 172.20.5.9 proto static";
        assert_eq!(routes(&topology, west, done, true), []);
    }
}
