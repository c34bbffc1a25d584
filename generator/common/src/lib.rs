//! What every room needs: errors with a hint, files, the paths of a cluster, and whether
//! its keys are exposed. Nothing here knows what Kubernetes, Nix or QEMU is.

pub mod exposure;
pub mod file;
pub mod report;
pub mod state;
