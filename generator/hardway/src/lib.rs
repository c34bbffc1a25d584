//! hardway's verbs, and what they do: how a plan is written down (`render`), how machines
//! are made and installed (`machine`, `media`), what spans them (`cluster`), and one file a
//! verb (`cli`). What a cluster is, who trusts whom and how the API server is asked are
//! crates of their own: `model`, `pki`, `kube`.

pub mod cli;
pub mod cluster;
pub mod export;
pub mod generate;
pub mod machine;
pub mod media;
pub mod render;
