//! The shapes of a [`Plan`].

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::peers::PeerOption;
use crate::topology::{Authority, NodeName, Role};

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// Sorted by name, like the topology's.
    pub nodes: Vec<NodePlan>,
    /// Whose keys are not on this host, sorted: what they sign comes from elsewhere.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub external: Vec<Authority>,
    /// Every leaf certificate, sorted by name. The authorities are those that they name.
    pub certificates: Vec<CertificateRequest>,
    /// Every kubeconfig, sorted by name.
    pub kubeconfigs: Vec<Kubeconfig>,
}

/// One node: what becomes `hosts/<node>/default.nix`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NodePlan {
    pub name: NodeName,
    pub role: Role,
    /// By unit name, e.g. `kube-apiserver`.
    pub components: BTreeMap<String, Component>,
    /// File name below /var/lib/hardway/pki → who reads it. All that this node gets, and no more.
    pub pki: BTreeMap<String, PkiFile>,
    /// Ordinary NixOS options by their dotted path, e.g. `networking.hostName`; values are literals.
    pub options: BTreeMap<String, Value>,
    /// Those whose values are in `hosts/peers.nix`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<PeerOption>,
}

/// A program that runs as a systemd service, its whole command line as data.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Component {
    /// One line: what the program is for. A comment in the host module and the unit's description.
    pub description: String,
    /// The name of the package in nixpkgs.
    pub package: String,
    /// The program below the package's bin/.
    pub command: String,
    /// Flags by name without dashes: booleans, integers, strings, lists of strings, or maps.
    pub flags: BTreeMap<String, Value>,
    pub config: Option<ConfigFile>,
    /// Packages on the unit's PATH, sorted.
    pub path: Vec<String>,
    /// Units that must be up first; each is ordered after and required.
    pub requires: Vec<String>,
    /// Units to start after, without needing them.
    pub after: Vec<String>,
    /// Whom it runs as: `root`, or a system user that the modules make.
    pub user: String,
    /// `notify` where the program tells systemd that it is ready, else `exec`.
    pub readiness: String,
    /// What has to succeed before it is started.
    pub wait_for: Option<WaitFor>,
    /// A folder below /var/lib that systemd makes for it.
    pub state_directory: Option<String>,
    /// Whether it manages cgroups of its own below its unit's.
    pub delegate: bool,
    /// The TCP ports that it listens on, its defaults too, sorted.
    pub ports: Vec<u16>,
    /// systemd's settings that a program of root's can take. One with a user of its own needs
    /// none here: the modules shut it into a sandbox.
    pub hardening: BTreeMap<String, Value>,
}

/// A command that waits until another component is ready.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WaitFor {
    /// The name of the package in nixpkgs.
    pub package: String,
    /// The program below the package's bin/.
    pub command: String,
    pub arguments: Vec<String>,
}

/// A component's configuration file, as data.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConfigFile {
    /// Below /etc, e.g. `kubernetes/kubelet.yaml`.
    pub path: String,
    pub format: Format,
    pub value: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    Json,
    Toml,
    Yaml,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PkiFile {
    /// The user whose process reads it.
    pub user: String,
}

/// What a leaf certificate must say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CertificateRequest {
    /// The stem of its files: `<name>.pem`, `<name>-key.pem`, `<name>-csr.json`.
    pub name: String,
    pub authority: Authority,
    pub common_name: String,
    /// Kubernetes reads it as the group.
    pub organization: Option<String>,
    /// Subject alternative names: DNS names and IP addresses, in the order to be written.
    pub hosts: Vec<String>,
    pub usage: Usage,
}

/// Extended key usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Usage {
    Server,
    Client,
    /// etcd members dial each other with the certificate that they serve.
    Peer,
}

/// A client's kubeconfig, certificates embedded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kubeconfig {
    /// The file's stem: `<name>.kubeconfig`.
    pub name: String,
    /// The leaf certificate of this client.
    pub certificate: String,
    /// The cluster's name, as the kubeconfig shows it.
    pub cluster: String,
    /// The user's name, as the kubeconfig shows it: the certificate's common name.
    pub user: String,
    /// e.g. `https://10.240.0.10:6443`.
    pub server: String,
}
