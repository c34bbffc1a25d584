//! TCP ports of the host: the API server's, those that nodes forward, and in user
//! mode the kubelets'.

use std::collections::HashMap;

use super::check::{Checker, Draft};
use super::clash::{Claim, clashes};
use super::env::{self, Setting};
use super::input;
use super::read::member;
use super::types::{NetworkMode, Role};

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

/// Checks every port taken on the host, and gives the API server's.
pub(super) fn ports(
    checker: &mut Checker<'_>,
    input: &input::Cluster,
    settings: &HashMap<&'static str, Setting>,
    drafts: &[Draft<'_>],
) -> u16 {
    let mut claims = Vec::new();
    let mut api_port = input.api_port;
    match settings.get(env::API_PORT) {
        Some(setting) => match u16::try_from(setting.number) {
            Ok(port) if port > 0 => {
                api_port = port;
                claims.push(Claim {
                    value: port,
                    place: setting.place,
                    subject: env::API_PORT.to_owned(),
                    note: "",
                });
            }
            _ => checker.problem_at(
                setting.place,
                env::API_PORT,
                format!("{} is not a TCP port", setting.number),
                "write a number from 1 to 65535",
            ),
        },
        None if checker.document.is_bad("apiPort") => {}
        None => claims.push(checker.claim("apiPort".to_owned(), api_port)),
    }
    let api_known = !claims.is_empty();
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
    api_port
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
