//! hardway: from one typed topology to a Kubernetes cluster built the hard way.
//!
//! Data flows one way: `topology` (what a person wrote, parsed once) → `plan`
//! (pure: what each node runs) → `nix`, `pki` and `machine` (files, certificates,
//! QEMU) → `cluster` (what spans machines). Nothing downstream reads
//! cluster.json again, and nothing upstream knows of QEMU.

pub mod cli;
pub mod cluster;
pub mod explain;
pub mod export;
pub mod exposure;
pub mod file;
pub mod generate;
pub mod lint;
pub mod machine;
pub mod media;
pub mod nix;
pub mod pki;
pub mod plan;
pub mod report;
pub mod state;
pub mod tables;
pub mod template;
pub mod topology;
