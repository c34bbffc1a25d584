//! Ports of the host. TCP: the API server's, those that lead to a guest's sshd, those that
//! nodes forward, and in user mode the kubelets'. UDP: those of the segment.

use std::collections::{HashMap, HashSet};

use super::check::Checker;
use super::clash::{Claim, clashes};
use super::env::{self, Setting};
use super::input;
use super::nodes::Draft;
use super::ranges::Ranges;
use super::read::member;
use super::types::{NetworkMode, Role, SegmentPorts};

/// Where a worker's kubelet listens.
pub const KUBELET_PORT: u16 = 10250;
/// Where each worker's kube-proxy says how it is.
const KUBE_PROXY_HEALTH: u16 = 10256;
/// In user mode the API server listens on its machine on the host's port, where
/// others listen too, and where ports below this one are root's alone.
const FIRST_UNPRIVILEGED: u16 = 1024;
const CONTROL_PLANE_PORTS: [(u16, &str); 4] = [
    (2379, "etcd"),
    (2380, "etcd"),
    (10257, "kube-controller-manager"),
    (10259, "kube-scheduler"),
];
/// User mode's addresses go from 10.0.2.15 to 10.0.2.254.
const MAX_USER_MODE_NODES: usize = 240;

/// The ports of the workers' kubelets in user mode, in the order of their addresses:
/// each is a port of the host too, which forwards it unchanged.
pub fn user_mode_kubelet_ports() -> impl Iterator<Item = u16> {
    (KUBELET_PORT..).filter(|port| *port != KUBE_PROXY_HEALTH)
}

/// The ports of the host that a topology keeps.
pub(super) struct Ports {
    /// The API server's.
    pub(super) api: u16,
    /// Each draft's sshd's; `None` once a problem is noted, and for what is no guest.
    pub(super) ssh: Vec<Option<u16>>,
}

/// Checks every port taken on the host.
pub(super) fn ports(
    checker: &mut Checker<'_>,
    input: &input::Cluster,
    settings: &HashMap<&'static str, Setting>,
    drafts: &[Draft<'_>],
    ranges: &Ranges,
) -> Ports {
    let mut claims = Vec::new();
    let mut api_port = input.api_port;
    match settings.get(env::API_PORT) {
        Some(setting) => {
            if let Some(port) = port_of(checker, env::API_PORT, setting) {
                api_port = port;
                claims.push(Claim {
                    value: port,
                    place: setting.place,
                    subject: env::API_PORT.to_owned(),
                    note: "",
                });
            }
        }
        None if checker.document.is_bad("apiPort") => {}
        None => claims.push(checker.claim("apiPort".to_owned(), api_port)),
    }
    let api_known = !claims.is_empty();
    let base = match settings.get(env::SSH_PORT_BASE) {
        Some(setting) => port_of(checker, env::SSH_PORT_BASE, setting),
        None if checker.document.is_bad("sshPortBase") => None,
        None => Some(input.ssh_port_base),
    };
    let ssh: Vec<Option<u16>> = drafts
        .iter()
        .map(|draft| ssh_port(checker, base, draft, ranges, &mut claims))
        .collect();
    if input.network.mode == NetworkMode::Segment {
        segment_ports(checker, drafts, &ssh);
    }
    for draft in drafts {
        for (index, forward) in draft.input.forwards.iter().enumerate() {
            let path = member(&format!("{}.forwards[{index}]", draft.path), "host");
            if let Some(port) = forward.host.filter(|_| !checker.document.is_bad(&path)) {
                claims.push(checker.claim(path, port));
            }
        }
    }
    if input.network.mode == NetworkMode::User {
        if let Some(api) = claims.first().filter(|_| api_known) {
            user_mode_api_port(checker, api);
        }
        claims.extend(kubelet_ports(checker, drafts));
    }
    let highest = claims.iter().map(|claim| claim.value).max().unwrap_or(0);
    let hint = match highest.checked_add(1) {
        Some(free) => format!("choose another port of the host; the cluster does not use {free}"),
        None => "choose another port of the host".to_owned(),
    };
    clashes(checker, claims, &hint);
    Ports { api: api_port, ssh }
}

/// A setting's number as a port; `None` once a problem is noted.
fn port_of(checker: &mut Checker<'_>, key: &str, setting: &Setting) -> Option<u16> {
    let port = u16::try_from(setting.number).ok().filter(|port| *port > 0);
    if port.is_none() {
        checker.problem_at(
            setting.place,
            key,
            format!("{} is not a TCP port", setting.number),
            "write a number from 1 to 65535",
        );
    }
    port
}

/// The port that leads to a guest's sshd: the one written for it, or after its address,
/// so that it stays the same when nodes come and go.
fn ssh_port(
    checker: &mut Checker<'_>,
    base: Option<u16>,
    draft: &Draft<'_>,
    ranges: &Ranges,
    claims: &mut Vec<Claim<u16>>,
) -> Option<u16> {
    let path = member(&draft.path, "sshPort");
    if draft.input.machine.is_some() || checker.document.is_bad(&path) {
        return None;
    }
    if let Some(port) = draft.input.ssh_port {
        claims.push(checker.claim(path, port));
        return Some(port);
    }
    let (base, place) = (base?, ranges.place(draft.address)?);
    let Ok(port) = u16::try_from(u32::from(base) + place) else {
        checker.problem(
            &path,
            format!("{base} and the address's place in the segment, {place}, are no TCP port"),
            "write a \"sshPort\" from 1 to 65535 for this node",
        );
        return None;
    };
    // Two nodes of one address are told so already.
    if !draft.shared {
        claims.push(checker.claim(path, port));
    }
    Some(port)
}

/// The UDP ports of each link to the segment's hub, which is the control plane. Only macOS
/// needs them, but a cluster.json is good on every system or on none.
fn segment_ports(checker: &mut Checker<'_>, drafts: &[Draft<'_>], ssh: &[Option<u16>]) {
    let (mut claims, mut seen) = (Vec::new(), HashSet::new());
    for (draft, port) in drafts.iter().zip(ssh) {
        let Some(port) = *port else { continue };
        // Two ssh ports of one number are a clash by themselves.
        if draft.input.role == Some(Role::ControlPlane) || !seen.insert(port) {
            continue;
        }
        let path = member(&draft.path, "sshPort");
        let Some(ports) = SegmentPorts::of(port) else {
            checker.problem(
                &path,
                format!(
                    "{port} is too high: on macOS the segment also uses the UDP port that is \
                     5000 higher"
                ),
                "write a \"sshPort\" of at most 60535 for this node",
            );
            continue;
        };
        for (value, note) in [
            (ports.node, "UDP, its end of the segment's link"),
            (ports.hub, "UDP, the hub's end of the segment's link"),
        ] {
            claims.push(Claim {
                note,
                ..checker.claim(path.clone(), value)
            });
        }
    }
    clashes(
        checker,
        claims,
        "choose ssh ports that do not differ by 5000: on macOS the segment also uses the UDP \
         port of the same number and the one that is 5000 higher",
    );
}

/// In user mode the API server's port on the host is also the one on its machine.
fn user_mode_api_port(checker: &mut Checker<'_>, api: &Claim<u16>) {
    let taken = CONTROL_PLANE_PORTS
        .iter()
        .find(|(port, _)| *port == api.value);
    let reason = match taken {
        Some((port, name)) => format!("{name} listens on {port} of the control plane"),
        None if api.value < FIRST_UNPRIVILEGED => format!(
            "{} is below {FIRST_UNPRIVILEGED}, and the API server does not run as root",
            api.value
        ),
        None => return,
    };
    checker.problem_at(
        api.place,
        &api.subject,
        format!("in user mode the API server listens on it in its machine too: {reason}"),
        "choose another port, such as 6443, or set \"mode\": \"segment\"",
    );
}

/// In user mode each worker's kubelet has a port of the host, in the order of addresses.
fn kubelet_ports(checker: &mut Checker<'_>, drafts: &[Draft<'_>]) -> Vec<Claim<u16>> {
    if drafts.len() > MAX_USER_MODE_NODES {
        checker.problem(
            "network.mode",
            format!(
                "user mode has addresses for {MAX_USER_MODE_NODES} nodes, there are {}",
                drafts.len()
            ),
            "set \"mode\": \"segment\"",
        );
        return Vec::new();
    }
    let mut workers: Vec<&Draft<'_>> = drafts
        .iter()
        .filter(|draft| draft.input.role == Some(Role::Worker))
        .collect();
    workers.sort_by_key(|draft| draft.address);
    user_mode_kubelet_ports()
        .zip(workers)
        .map(|(port, draft)| Claim {
            value: port,
            place: checker.document.place(&draft.path),
            subject: draft.path.clone(),
            note: "its kubelet, in user mode",
        })
        .collect()
}
