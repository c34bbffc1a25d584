//! What a person wrote in cluster.json and cluster.env, parsed once into types
//! that cannot hold a bad value. Everything downstream takes a [`Topology`] and
//! never looks at those files again.

mod types;

pub use types::{
    Cni, Forward, Machine, MacAddress, Network, NetworkMode, Node, NodeName, Role, Topology,
};
