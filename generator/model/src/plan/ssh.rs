//! How a virtual machine lets in who holds the cluster's own ssh key. A machine of the
//! user's own has an sshd already, with keys that are not ours to know.

use serde_json::{Value, json};

use super::pki;
use crate::topology::{Node, NodeName};

/// Where a guest's sshd listens.
pub const PORT: u16 = 22;

/// Who may log in: the public half of the cluster's key. No certificate, so no `.pem`.
pub const AUTHORIZED_KEYS: &str = "ssh-authorized-keys";

/// The file of a node's own key, by which it is known.
pub fn host_key(node: &NodeName) -> String {
    format!("ssh-host-{node}-key.pem")
}

/// `hardway.ssh`: on the NIC to the host, where the forwarded port ends, and on no other.
pub(super) fn option(node: &Node) -> Value {
    json!({
        "authorizedKeys": pki(AUTHORIZED_KEYS),
        "enable": true,
        "hostKey": pki(&host_key(&node.name)),
        "interface": "uplink0",
    })
}
