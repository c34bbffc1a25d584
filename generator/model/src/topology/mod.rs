//! What a person wrote in cluster.json and cluster.env, parsed once into types
//! that cannot hold a bad value. Everything downstream takes a [`Topology`] and
//! never looks at those files again.
//!
//! `read` holds the text against the schema of `input`, `env` reads cluster.env,
//! `check` (with `nodes`, `ranges`, `ports` and `machines`) makes the types; each collects every
//! [`Problems`] it finds instead of stopping.

mod authority;
mod check;
mod clash;
mod env;
mod input;
mod load;
mod machines;
mod nodes;
mod ports;
mod problem;
mod ranges;
mod read;
mod remote;
mod types;

pub use authority::Authority;
pub use env::{CONTROL_PLANE_MEM, KEYS as ENVIRONMENT, WORKER_MEM};
pub use input::schema;
pub use load::{
    Sources, default_env, default_json, default_schema, find, load, load_with, parse,
    write_settings,
};
pub use machines::{MIN_CONTROL_PLANE_MEMORY, MIN_WORKER_MEMORY};
pub use ports::{KUBELET_PORT, user_mode_kubelet_ports};
pub use problem::Problems;
pub use types::{
    Cni, Forward, Guest, InterfaceName, Joined, MacAddress, Machine, Network, NetworkMode, Node,
    NodeName, Remote, Role, SegmentPorts, SshTarget, Topology,
};
