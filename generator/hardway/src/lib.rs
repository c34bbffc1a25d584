//! hardway's verbs, and what they do: how a plan is written down (`render`, `export`), how
//! a node becomes a machine (`runtime`) and gets its system (`deploy`), what spans machines
//! (`ops`), and one file a verb (`commands`). What a cluster is, who trusts whom, how QEMU
//! runs and how the API server is asked are crates of their own: `model`, `pki`, `qemu`,
//! `kube`.

pub mod commands;
pub mod deploy;
pub mod export;
pub mod ops;
pub mod render;
pub mod runtime;
