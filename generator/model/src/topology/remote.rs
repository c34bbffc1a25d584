//! Nodes on machines of the user's own: what such a node says, and what it can't say.

use super::check::Checker;
use super::input;
use super::nodes::Draft;
use super::read::{line_of, member};
use super::types::{Cni, InterfaceName, NetworkMode, Remote, SshTarget};

/// Fields that only a virtual machine has.
const OF_GUESTS: [&str; 7] = [
    "memory",
    "cpus",
    "disk",
    "mac",
    "uplinkMac",
    "forwards",
    "sshPort",
];

/// The machine of a draft that has one of its own; `None` once a problem is noted.
pub(super) fn remote(
    checker: &mut Checker<'_>,
    cluster: &input::Cluster,
    draft: &Draft<'_>,
    written: &input::Remote,
) -> Option<Remote> {
    let path = member(&draft.path, "machine");
    for field in OF_GUESTS {
        let field = member(&draft.path, field);
        if checker.document.has(&field) {
            checker.problem(
                &field,
                format!("only a virtual machine has this, and {path} is another"),
                "leave it out",
            );
        }
    }
    let ssh = written.ssh.as_deref().and_then(|text| {
        checker.parsed(&member(&path, "ssh"), text, |text| {
            let hint = || "write a user and a host, such as \"root@192.0.2.10\"".to_owned();
            SshTarget::parse(text).map_err(|reason| (reason, hint()))
        })
    });
    let place = member(&path, "interface");
    let interface = match &written.interface {
        Some(text) => Some(checker.parsed(&place, text, |text| {
            let hint = || "`ip link` on the machine lists them, such as \"eth0\"".to_owned();
            InterfaceName::parse(text).map_err(|reason| (reason, hint()))
        })?),
        None if cluster.cni == Cni::Bridge && !checker.document.is_bad(&place) => {
            checker.problem(
                &path,
                "the bridge CNI's routes to other nodes' Pods need an interface",
                "add \"interface\": the one that has the node's address, such as \"eth0\"",
            );
            None
        }
        None => None,
    };
    Some(Remote {
        ssh: ssh?,
        interface,
    })
}

/// A cluster is on machines of one kind, and those of the user's own are on a network.
pub(super) fn kinds(checker: &mut Checker<'_>, cluster: &input::Cluster, drafts: &[Draft<'_>]) {
    let remote = |draft: &&Draft<'_>| draft.input.machine.is_some();
    let Some(first) = drafts.iter().find(remote) else {
        return;
    };
    for guest in drafts.iter().filter(|draft| !remote(draft)) {
        if checker.document.is_bad(&member(&guest.path, "machine")) {
            continue;
        }
        let other = line_of(checker.document.place(&first.path));
        checker.problem(
            &guest.path,
            format!(
                "this is a virtual machine and {} ({other}) is not: they could not reach each other",
                first.path
            ),
            "give every node a \"machine\", or none",
        );
    }
    if cluster.network.mode == NetworkMode::User {
        checker.problem(
            "network.mode",
            format!(
                "user mode joins QEMU's guests, and {} is not one",
                first.path
            ),
            "leave it out",
        );
    }
}
