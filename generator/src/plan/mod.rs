//! What each node runs, as plain data: components and their flags, files,
//! addresses, ports and certificates. Pure: no disk, no clock, no randomness.

mod types;

pub use types::{
    Authority, CertificateRequest, Component, ConfigFile, Format, Kubeconfig, NodePlan, PkiFile,
    Plan, Usage,
};
