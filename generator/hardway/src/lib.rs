//! hardway's verbs, and what they do: how a plan is written down (`render`, `export`), how
//! a machine runs (`machine`) and gets its system (`deploy`), what spans machines (`ops`),
//! and one file a verb (`commands`). What a cluster is, who trusts whom and how the API
//! server is asked are crates of their own: `model`, `pki`, `kube`.

pub mod commands;
pub mod deploy;
pub mod export;
pub mod machine;
pub mod ops;
pub mod render;
