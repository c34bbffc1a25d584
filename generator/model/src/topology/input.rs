//! The shape of cluster.json, and from the same structs its JSON Schema: the
//! reader is driven by that schema, so the two cannot disagree.
//!
//! Values are still as written (addresses are text); `check` makes types of them.

use std::collections::BTreeMap;

use schemars::transform::{RecursiveTransform, Transform};
use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::authority::Authority;
use super::types::{Cni, NetworkMode, Role};
use crate::tables;

/// A cluster for `hardway`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "cluster.json")]
pub(super) struct Cluster {
    /// Where an editor finds this schema.
    #[serde(rename = "$schema", default)]
    pub(super) schema: Option<String>,
    /// The cluster's name, a DNS label: it names the contexts of kubeconfigs.
    #[serde(default = "default_name")]
    pub(super) name: String,
    /// Kubernetes' major.minor: what the flags are checked against.
    #[serde(default = "default_kubernetes_version")]
    #[schemars(extend("enum" = tables::supported()))]
    pub(super) kubernetes_version: String,
    /// The DNS domain of Services.
    #[serde(default = "default_domain")]
    pub(super) domain: String,
    /// The program that gives Pods their network.
    #[serde(default)]
    pub(super) cni: Cni,
    #[serde(default)]
    pub(super) network: Network,
    /// The TCP port of the API server on the host's 127.0.0.1. API_PORT in cluster.env or in the environment wins.
    /// In user mode the API server listens on it in its machine too.
    #[serde(default = "default_api_port")]
    #[schemars(range(min = 1, max = 65535))]
    pub(super) api_port: u16,
    /// Where the ports of `hardway ssh` begin on the host's 127.0.0.1: each guest's is this and its address's place in the segment.
    /// SSH_PORT_BASE in cluster.env or in the environment wins.
    #[serde(default = "default_ssh_port_base")]
    #[schemars(range(min = 1, max = 65535))]
    pub(super) ssh_port_base: u16,
    /// Authorities whose keys are elsewhere: `hardway pki csr` writes what they are to sign,
    /// `hardway pki accept` takes what they signed. Without the key of `ca`, nodes sign no CertificateSigningRequest.
    #[serde(default)]
    pub(super) external_authorities: Vec<Authority>,
    #[serde(default)]
    pub(super) machines: Machines,
    /// The nodes by name, a DNS label: one control plane and at least one worker.
    pub(super) nodes: BTreeMap<String, Node>,
}

impl Cluster {
    pub(super) fn read(value: &Value) -> serde_json::Result<Self> {
        Self::deserialize(value)
    }
}

/// Address ranges in CIDR notation; none may overlap another or QEMU's own 10.0.2.0/24.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Network {
    /// How guests reach each other.
    pub(super) mode: NetworkMode,
    /// Where Pods' addresses come from; each node owns one /24 of it.
    pub(super) pods: String,
    /// Where Services' addresses come from: at least a /28.
    pub(super) services: String,
    /// The layer-2 segment between the nodes.
    pub(super) segment: String,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            mode: NetworkMode::default(),
            pods: "10.200.0.0/16".to_owned(),
            services: "10.32.0.0/24".to_owned(),
            segment: "10.240.0.0/24".to_owned(),
        }
    }
}

/// Sizes of machines. A node's own fields win over the environment, that over
/// cluster.env, and that over these.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Machines {
    /// Every control plane. CONTROL_PLANE_MEM and CONTROL_PLANE_CPUS win.
    pub(super) control_plane: Size,
    /// Every worker. WORKER_MEM and WORKER_CPUS win.
    pub(super) worker: Size,
    /// The disk of every node in GiB. DISK_SIZE wins.
    #[schemars(range(min = MIN_DISK))]
    pub(super) disk: u32,
}

impl Default for Machines {
    fn default() -> Self {
        Self {
            control_plane: Size::default(),
            worker: Size::default(),
            disk: 20,
        }
    }
}

/// Memory and processors of a machine.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Size {
    /// Memory in MiB: at least 2048 for a control plane, 1024 for a worker.
    pub(super) memory: u32,
    /// Processors; one is used where QEMU has to emulate them.
    #[schemars(range(min = MIN_CPUS, max = MAX_CPUS))]
    pub(super) cpus: u32,
}

impl Default for Size {
    fn default() -> Self {
        Self {
            memory: 8192,
            cpus: 2,
        }
    }
}

/// One machine.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Node {
    /// What the node runs.
    #[schemars(required)]
    pub(super) role: Option<Role>,
    /// Its IPv4 address on the segment, the node's InternalIP.
    #[schemars(required, example = "10.240.0.21")]
    pub(super) address: Option<String>,
    /// The MAC address of the NIC on the segment; by default made from the address.
    pub(super) mac: Option<String>,
    /// The MAC address of the NIC to the outside; by default made from the address.
    pub(super) uplink_mac: Option<String>,
    /// The node's own /24 of the pod range; by default the n-th one, where n is the address's place in the segment.
    #[serde(rename = "podCIDR")]
    pub(super) pod_cidr: Option<String>,
    /// Memory in MiB; wins over CONTROL_PLANE_MEM and WORKER_MEM.
    pub(super) memory: Option<u32>,
    /// Processors; wins over CONTROL_PLANE_CPUS and WORKER_CPUS.
    #[schemars(range(min = MIN_CPUS, max = MAX_CPUS))]
    pub(super) cpus: Option<u32>,
    /// The disk in GiB; wins over DISK_SIZE.
    #[schemars(range(min = MIN_DISK))]
    pub(super) disk: Option<u32>,
    /// The TCP port of the host's 127.0.0.1 for `hardway ssh`; by default sshPortBase and the n of podCIDR.
    /// On macOS the segment also uses the UDP ports of a worker's number and of 5000 more.
    #[schemars(range(min = 1, max = 65535), example = 22021)]
    pub(super) ssh_port: Option<u16>,
    /// A machine of your own instead of a virtual one. All nodes have one, or none.
    pub(super) machine: Option<Remote>,
    /// TCP ports of the host's 127.0.0.1 that lead to this guest.
    #[serde(default)]
    pub(super) forwards: Vec<Forward>,
    /// Your own NixOS modules for this node: paths of files, relative to cluster.json.
    #[serde(default)]
    pub(super) modules: Vec<String>,
}

/// A machine of your own instead of a virtual one: `hardway export` writes what installs it.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Remote {
    /// Whom and where ssh is to reach; without a user it is root.
    #[schemars(required, example = "root@192.0.2.10")]
    pub(super) ssh: Option<String>,
    /// The network interface that has the node's address. The firewall then opens ports on it alone; the bridge CNI's routes need it.
    pub(super) interface: Option<String>,
}

/// A TCP port of the host's 127.0.0.1 that leads to a guest's.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Forward {
    #[schemars(range(min = 1, max = 65535), required, example = 30080)]
    pub(super) host: Option<u16>,
    #[schemars(range(min = 1, max = 65535), required, example = 30080)]
    pub(super) guest: Option<u16>,
}

/// GiB: the system, two generations of it, and a few images.
pub(super) const MIN_DISK: u32 = 8;
pub(super) const MIN_CPUS: u32 = 1;
/// QEMU's limit for q35 without further options.
pub(super) const MAX_CPUS: u32 = 255;

fn default_name() -> String {
    "hardway".to_owned()
}

fn default_kubernetes_version() -> String {
    tables::supported()
        .last()
        .copied()
        .unwrap_or_default()
        .to_owned()
}

fn default_domain() -> String {
    "cluster.local".to_owned()
}

fn default_api_port() -> u16 {
    6443
}

/// Below the ports that kernels give out by themselves.
fn default_ssh_port_base() -> u16 {
    22000
}

/// The JSON Schema (2020-12) of cluster.json.
pub fn schema() -> Value {
    let generator: SchemaGenerator = SchemaSettings::draft2020_12()
        .with_transform(RecursiveTransform(Plain))
        .into_generator();
    generator.into_root_schema_for::<Cluster>().to_value()
}

/// Leaves out what an optional field is not: `null` is no value of cluster.json.
/// Rust's number formats go too, since editors do not know them.
#[derive(Clone)]
struct Plain;

impl Transform for Plain {
    fn transform(&mut self, schema: &mut Schema) {
        let Some(object) = schema.as_object_mut() else {
            return;
        };
        if object.get("default").is_some_and(Value::is_null) {
            object.remove("default");
        }
        if object
            .get("format")
            .and_then(Value::as_str)
            .is_some_and(|format| format.starts_with("uint"))
        {
            object.remove("format");
        }
        if let Some(Value::Array(types)) = object.get_mut("type") {
            types.retain(|name| name != "null");
            if let [only] = types.as_slice() {
                let only = only.clone();
                object.insert("type".to_owned(), only);
            }
        }
        if let Some(Value::Array(choices)) = object.get_mut("anyOf") {
            choices.retain(|choice| choice.get("type").is_none_or(|name| name != "null"));
            if let [Value::Object(only)] = choices.as_slice() {
                let only = only.clone();
                object.remove("anyOf");
                object.extend(only);
            }
        }
    }
}
