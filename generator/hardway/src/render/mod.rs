//! Writes the plan down as Nix: `hosts/`, which people read and the flake imports.
//!
//! A host module is a function to an attribute set of literals, and what all nodes share
//! and grows with their number stands once, in `peers.nix`. Every value goes
//! through one quoting function (`value.rs`; `yaml.rs` for what the cluster itself
//! reads), every Nix file through rnix before it is written, and only files whose
//! bytes changed are touched.

mod files;
pub mod template;
mod text;
mod value;
mod written;
mod yaml;

#[cfg(test)]
mod tests;

pub use files::{Change, Files, Outcome, apply, compare};
pub use text::{base_module, exported, host_module, hosts_index, peers, rendered};
pub use value::{attribute, literal};
pub use written::{Written, read as written};
