//! What a person sees of a cluster, or changes in one that runs: `status`, `logs`, `top`,
//! `doctor`, `ssh`, `apply`, `down`, `up` where a node has to go, and what asks before it does. Machines are stand-ins here:
//! a process, and the sockets of QEMU and of the guest agent.

#![allow(clippy::unwrap_used)] // clippy.toml covers test functions, not their helpers

#[path = "../common/api_server.rs"]
mod api_server;
mod apply;
mod doctor;
mod down;
mod fit;
mod logs;
mod manners;
mod shrink;
mod ssh;
mod status;
mod support;
mod top;
