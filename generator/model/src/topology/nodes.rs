//! The nodes one by one: their names and roles, addresses, modules, and that no two
//! claim the same.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use super::check::{Checker, Refusal};
use super::clash::clashes;
use super::input;
use super::ranges::{self, Ranges};
use super::read::{line_of, member, within};
use super::types::{Forward, MacAddress, NodeName, Role};

/// Names that hosts/ and every hosts file use for something else.
const RESERVED_NAMES: [&str; 3] = ["addons", "localhost", "pki"];

/// A node as far as it could be read.
pub(super) struct Draft<'a> {
    /// `nodes.sigma`
    pub(super) path: String,
    pub(super) name: Option<NodeName>,
    pub(super) input: &'a input::Node,
    pub(super) address: Option<Ipv4Addr>,
    /// Whether another node has the same address. It is told so once, and not
    /// again by what is made from the address.
    pub(super) shared: bool,
}

/// The nodes in the order of the file.
pub(super) fn drafts<'a>(checker: &mut Checker<'_>, input: &'a input::Cluster) -> Vec<Draft<'a>> {
    let mut drafts: Vec<Draft<'a>> = input
        .nodes
        .iter()
        .map(|(name, node)| {
            let path = member("nodes", name);
            let parsed = checker.parsed(&path, name, node_name);
            let address = node.address.as_deref().and_then(|text| {
                checker.parsed(&member(&path, "address"), text, |text| {
                    text.parse::<Ipv4Addr>().map_err(|_| {
                        (
                            format!("{text:?} is not an IPv4 address"),
                            "write four numbers from 0 to 255, such as \"10.240.0.21\"".to_owned(),
                        )
                    })
                })
            });
            Draft {
                path,
                name: parsed,
                input: node,
                address,
                shared: false,
            }
        })
        .collect();
    drafts.sort_by_key(|draft| checker.document.place(&draft.path));
    let mut owners: HashMap<Option<Ipv4Addr>, usize> = HashMap::new();
    for draft in &drafts {
        *owners.entry(draft.address).or_default() += 1;
    }
    for draft in &mut drafts {
        draft.shared = owners.get(&draft.address).is_some_and(|count| *count > 1);
    }
    drafts
}

fn node_name(text: &str) -> Result<NodeName, Refusal> {
    let hint = || "choose a name such as \"sigma\" or \"worker-1\"".to_owned();
    if RESERVED_NAMES.contains(&text) {
        return Err((format!("{text:?} is the name of something else"), hint()));
    }
    // `a-key.pem` would be the certificate of a node `a-key`, or the key of a node `a`.
    if text.ends_with("-key") {
        return Err((
            "a name that ends in -key would make its certificate's file look like a key's"
                .to_owned(),
            hint(),
        ));
    }
    NodeName::parse(text).map_err(|reason| (reason, hint()))
}

pub(super) fn roles(checker: &mut Checker<'_>, drafts: &[Draft<'_>]) {
    let mut control_planes = drafts
        .iter()
        .filter(|draft| draft.input.role == Some(Role::ControlPlane));
    let first = control_planes.next();
    if let Some(first) = first {
        for further in control_planes {
            let other = line_of(checker.document.place(&first.path));
            checker.problem(
                &member(&further.path, "role"),
                format!(
                    "{} ({other}) is a control plane already, and etcd runs as a single member",
                    first.path
                ),
                "make this node a \"worker\"",
            );
        }
    }
    // A role or a node that could not be read may be the one that is missed.
    let node_lost = checker.document.bad().any(|bad| {
        within("nodes", bad)
            || within(bad, "nodes") && !drafts.iter().any(|draft| within(bad, &draft.path))
    });
    if node_lost || drafts.iter().any(|draft| draft.input.role.is_none()) {
        return;
    }
    if first.is_none() {
        checker.problem(
            "nodes",
            "no node is a control plane",
            "give one node \"role\": \"control-plane\"",
        );
    }
    if !drafts
        .iter()
        .any(|draft| draft.input.role == Some(Role::Worker))
    {
        checker.problem(
            "nodes",
            "no node is a worker",
            "give at least one node \"role\": \"worker\"",
        );
    }
}

pub(super) fn addresses(checker: &mut Checker<'_>, drafts: &[Draft<'_>], ranges: &Ranges) {
    let mut claims = Vec::new();
    for draft in drafts {
        let Some(address) = draft.address else {
            continue;
        };
        let path = member(&draft.path, "address");
        if let Some(segment) = ranges.segment {
            ranges::in_segment(checker, &path, address, segment);
        }
        claims.push(checker.claim(path, address));
    }
    let taken: Vec<Ipv4Addr> = claims.iter().map(|claim| claim.value).collect();
    let free = ranges.segment.and_then(|segment| {
        segment
            .hosts()
            .skip(9)
            .chain(segment.hosts())
            .find(|host| !taken.contains(host))
    });
    let hint = match free {
        Some(free) => format!("give each node an address of its own; {free} is free"),
        None => "give each node an address of its own".to_owned(),
    };
    clashes(checker, claims, &hint);
}

/// Each guest's MAC addresses: segment, uplink.
pub(super) fn macs(
    checker: &mut Checker<'_>,
    drafts: &[Draft<'_>],
) -> Vec<Option<(MacAddress, MacAddress)>> {
    let mut claims = Vec::new();
    let mut macs = Vec::new();
    for draft in drafts {
        if draft.input.machine.is_some() {
            macs.push(None);
            continue;
        }
        let mut one = |field: &str, written: Option<&str>, net: u8| {
            let path = member(&draft.path, field);
            let mac = match written {
                Some(text) => checker.parsed(&path, text, |text| {
                    MacAddress::parse(text).map_err(|reason| {
                        let hint = "leave it out: one is made from the node's address";
                        (reason, hint.to_owned())
                    })
                }),
                None if checker.document.is_bad(&path) => None,
                None => draft
                    .address
                    .map(|address| MacAddress::derived(net, address)),
            };
            if let Some(mac) = mac.filter(|_| written.is_some() || !draft.shared) {
                claims.push(checker.claim(path, mac));
            }
            mac
        };
        let segment = one("mac", draft.input.mac.as_deref(), 0);
        let uplink = one("uplinkMac", draft.input.uplink_mac.as_deref(), 1);
        macs.push(segment.zip(uplink));
    }
    clashes(
        checker,
        claims,
        "leave it out: one is made from the node's address",
    );
    macs
}

pub(super) fn forwards(input: &input::Node) -> Vec<Forward> {
    input
        .forwards
        .iter()
        .filter_map(|forward| {
            Some(Forward {
                host: forward.host?,
                guest: forward.guest?,
            })
        })
        .collect()
}

pub(super) fn modules(checker: &mut Checker<'_>, draft: &Draft<'_>, dir: &Path) -> Vec<PathBuf> {
    let mut modules = Vec::new();
    for (index, module) in draft.input.modules.iter().enumerate() {
        let path = format!("{}.modules[{index}]", draft.path);
        let file = checker.parsed(&path, module, |module| {
            // Joined by components, so that `./my.nix` reads `my.nix`.
            let file: PathBuf = dir.join(module).components().collect();
            let refuse = |reason: &str| {
                let hint = "paths are relative to cluster.json's folder".to_owned();
                Err((format!("{} {reason}", file.display()), hint))
            };
            match std::fs::metadata(&file) {
                Ok(found) if found.is_file() => Ok(file),
                Ok(_) => refuse("is not a file"),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    refuse("does not exist")
                }
                Err(error) => refuse(&format!("cannot be looked at: {error}")),
            }
        });
        modules.extend(file);
    }
    modules
}
