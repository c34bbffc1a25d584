//! From text as written to a [`Topology`]: what is of the whole cluster here, the rest
//! in `nodes`, `ranges`, `ports` and `machines`; what two places both claim in `clash`.
//! Nothing stops at the first problem.

use std::collections::HashMap;
use std::path::Path;

use super::authority::Authority;
use super::clash::Claim;
use super::env::Setting;
use super::input;
use super::machines::machine;
use super::nodes::{self, Draft};
use super::ports::ports;
use super::problem::{Place, Problem};
use super::ranges::{self, Ranges};
use super::read::{Document, line_of};
use super::remote;
use super::types::{Cni, Guest, Machine, Network, NetworkMode, Node, Topology, dns_label};
use crate::tables::Versions;

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
    let drafts = nodes::drafts(&mut checker, input);
    nodes::roles(&mut checker, &drafts);
    nodes::addresses(&mut checker, &drafts, &ranges);
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
    let external_authorities = external(&mut checker, input);
    let macs = nodes::macs(&mut checker, &drafts);
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
                            forwards: nodes::forwards(draft.input),
                        })
                    })
            }
        };
        let modules = nodes::modules(&mut checker, draft, dir);
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
        external_authorities,
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

/// Sorted; each is said once.
fn external(checker: &mut Checker<'_>, input: &input::Cluster) -> Vec<Authority> {
    let mut all: Vec<Authority> = Vec::new();
    for (index, authority) in input.external_authorities.iter().enumerate() {
        let path = format!("externalAuthorities[{index}]");
        if checker.document.is_bad(&path) {
            continue;
        }
        if all.contains(authority) {
            checker.problem(
                &path,
                format!("{:?} is already in this list", authority.stem()),
                "delete one of the two",
            );
        }
        all.push(*authority);
    }
    all.sort();
    all
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
