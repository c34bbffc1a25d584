//! From text as written to a [`Topology`]: names, roles and addresses here, the
//! rest in `ranges`, `ports` and `machines`; what two places both claim in
//! `clash`. Nothing stops at the first problem.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use super::clash::{Claim, clashes};
use super::env::Setting;
use super::input;
use super::machines::machine;
use super::ports::ports;
use super::problem::{Place, Problem};
use super::ranges::{self, Ranges};
use super::read::{Document, line_of, member, within};
use super::remote;
use super::types::{
    Cni, Forward, Guest, MacAddress, Machine, Network, NetworkMode, Node, NodeName, Role, Topology,
    dns_label,
};
use crate::tables::Versions;

/// Names that hosts/ and every hosts file use for something else.
const RESERVED_NAMES: [&str; 3] = ["addons", "localhost", "pki"];

/// What is wrong with a text, and a hint.
pub(super) type Refusal = (String, String);

/// What the checks share: where values stand, and what was found so far.
pub(super) struct Checker<'a> {
    pub(super) document: &'a Document,
    pub(super) problems: Vec<Problem>,
}

impl Checker<'_> {
    pub(super) fn problem(
        &mut self,
        path: &str,
        reason: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.problem_at(self.document.place(path), path, reason, hint);
    }

    pub(super) fn problem_at(
        &mut self,
        place: Place,
        subject: &str,
        reason: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.problems.push(Problem {
            place,
            subject: subject.to_owned(),
            reason: reason.into(),
            hint: hint.into(),
        });
    }

    /// What `parse` makes of the text at `path`; `None` once a problem is noted.
    pub(super) fn parsed<T>(
        &mut self,
        path: &str,
        text: &str,
        parse: impl FnOnce(&str) -> Result<T, Refusal>,
    ) -> Option<T> {
        if self.document.is_bad(path) {
            return None;
        }
        match parse(text) {
            Ok(value) => Some(value),
            Err((reason, hint)) => {
                self.problem(path, reason, hint);
                None
            }
        }
    }

    /// A claim on `value` by what is written at `path`, or by a default where nothing is.
    pub(super) fn claim<T>(&self, path: String, value: T) -> Claim<T> {
        let place = self.document.place(&path);
        let written = self.document.has(&path);
        Claim {
            value,
            place,
            subject: path,
            note: if written { "" } else { "the default" },
        }
    }
}

/// A node as far as it could be read.
pub(super) struct Draft<'a> {
    /// `nodes.sigma`
    pub(super) path: String,
    name: Option<NodeName>,
    pub(super) input: &'a input::Node,
    pub(super) address: Option<Ipv4Addr>,
    /// Whether another node has the same address. It is told so once, and not
    /// again by what is made from the address.
    pub(super) shared: bool,
}

/// The topology, or every problem of it.
pub(super) fn check(
    input: &input::Cluster,
    settings: &HashMap<&'static str, Setting>,
    document: &Document,
    dir: &Path,
) -> Result<Topology, Vec<Problem>> {
    let mut checker = Checker {
        document,
        problems: Vec::new(),
    };
    checker.parsed("name", &input.name, |text| {
        dns_label(text).map_err(|reason| (reason, "choose a name such as \"hardway\"".to_owned()))
    });
    let versions = checker.parsed("kubernetesVersion", &input.kubernetes_version, |text| {
        Versions::minors(text)
            .map_err(|error| (format!("{error:#}"), "build hardway again".to_owned()))
    });
    checker.parsed("domain", &input.domain, domain);
    let ranges = ranges::check(&mut checker, &input.network);
    let drafts = drafts(&mut checker, input);
    roles(&mut checker, &drafts);
    addresses(&mut checker, &drafts, &ranges);
    let pod_cidrs = ranges::pod_cidrs(
        &mut checker,
        &ranges,
        &drafts
            .iter()
            .map(|draft| ranges::Owner {
                path: &draft.path,
                address: draft.address,
                shared: draft.shared,
                written: draft.input.pod_cidr.as_deref(),
            })
            .collect::<Vec<_>>(),
    );
    remote::kinds(&mut checker, input, &drafts);
    cni(&mut checker, input, &drafts);
    let macs = macs(&mut checker, &drafts);
    let ports = ports(&mut checker, input, settings, &drafts, &ranges);

    let mut nodes = Vec::with_capacity(drafts.len());
    let guests = macs.into_iter().zip(ports.ssh);
    for ((draft, pod_cidr), (macs, ssh_port)) in drafts.iter().zip(pod_cidrs).zip(guests) {
        let machine = match &draft.input.machine {
            Some(written) => {
                remote::remote(&mut checker, input, draft, written).map(Machine::Remote)
            }
            None => {
                let size = machine(&mut checker, input, settings, draft);
                macs.zip(ssh_port)
                    .map(|((segment_mac, uplink_mac), ssh_port)| {
                        Machine::Guest(Guest {
                            memory: size.memory,
                            cpus: size.cpus,
                            disk: size.disk,
                            uplink_mac,
                            segment_mac,
                            ssh_port,
                            forwards: forwards(draft.input),
                        })
                    })
            }
        };
        let modules = modules(&mut checker, draft, dir);
        if let (Some(name), Some(role), Some(address), Some(pod_cidr), Some(machine)) = (
            draft.name.clone(),
            draft.input.role,
            draft.address,
            pod_cidr,
            machine,
        ) {
            nodes.push(Node {
                name,
                role,
                address,
                pod_cidr,
                machine,
                modules,
            });
        }
    }
    nodes.sort_by(|a, b| a.name.cmp(&b.name));
    let Ranges {
        pods: Some(pods),
        services: Some(services),
        segment: Some(segment),
    } = ranges
    else {
        return Err(checker.problems);
    };
    let (Some(versions), true) = (versions, checker.problems.is_empty()) else {
        return Err(checker.problems);
    };
    Ok(Topology {
        name: input.name.clone(),
        kubernetes_version: input.kubernetes_version.clone(),
        versions,
        domain: input.domain.clone(),
        cni: input.cni,
        network: Network {
            mode: input.network.mode,
            pods,
            services,
            segment,
        },
        api_port: ports.api,
        nodes,
    })
}

/// Cilium's tunnels are UDP, and user mode takes only what the host forwards.
fn cni(checker: &mut Checker<'_>, input: &input::Cluster, drafts: &[Draft<'_>]) {
    let path = "network.mode";
    if drafts.iter().all(|draft| draft.input.machine.is_none())
        && input.cni == Cni::Cilium
        && input.network.mode == NetworkMode::User
        && !checker.document.is_bad("cni")
        && !checker.document.is_bad(path)
    {
        let said = match checker.document.has("cni") {
            true => format!("the CNI ({})", line_of(checker.document.place("cni"))),
            false => "the default CNI".to_owned(),
        };
        checker.problem(
            path,
            format!("Cilium is {said}, and in user mode none of its tunnels (VXLAN) comes through"),
            "write \"cni\": \"bridge\", or set \"mode\": \"segment\"",
        );
    }
}

fn domain(text: &str) -> Result<(), Refusal> {
    let hint = || "choose a domain such as \"cluster.local\"".to_owned();
    if text.len() > 253 {
        return Err(("a DNS name has at most 253 characters".to_owned(), hint()));
    }
    text.split('.')
        .try_for_each(dns_label)
        .map_err(|reason| (reason, hint()))
}

/// The nodes in the order of the file.
fn drafts<'a>(checker: &mut Checker<'_>, input: &'a input::Cluster) -> Vec<Draft<'a>> {
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

fn roles(checker: &mut Checker<'_>, drafts: &[Draft<'_>]) {
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

fn addresses(checker: &mut Checker<'_>, drafts: &[Draft<'_>], ranges: &Ranges) {
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
fn macs(checker: &mut Checker<'_>, drafts: &[Draft<'_>]) -> Vec<Option<(MacAddress, MacAddress)>> {
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

fn forwards(input: &input::Node) -> Vec<Forward> {
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

fn modules(checker: &mut Checker<'_>, draft: &Draft<'_>, dir: &Path) -> Vec<PathBuf> {
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
