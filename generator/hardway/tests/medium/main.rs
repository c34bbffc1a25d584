//! The live medium that nobody names: downloaded from a channel, here one on this
//! host's loopback; and the one that Nix builds, here by a stand-in.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // clippy.toml covers test functions, not their helpers

mod bad_days;
mod download;
mod flake;
mod server;
mod support;
