//! Installing a node, with the real expect, xorriso and QEMU. What needs a live
//! medium is ignored by default: name one in HARDWAY_ISO (rehearsal/build-medium
//! prints its path) and run `cargo test --test install -- --ignored`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // clippy.toml covers test functions, not their helpers

mod bad_days;
mod command_line;
mod live;
mod medium;
mod missing;
mod script;
#[path = "../common/skip.rs"]
mod skip;
mod support;
mod tarballs;
