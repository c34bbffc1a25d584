//! The authorities of a cluster: cluster.json says whose keys are elsewhere, the plan who
//! signs what.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Kubernetes' three separate trust domains, by the stems of their files: `<stem>.pem`,
/// `<stem>-key.pem`, `<stem>-csr.json`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub enum Authority {
    /// The API server, its clients and the kubelets.
    #[serde(rename = "ca")]
    Cluster,
    /// etcd and who may read it.
    #[serde(rename = "etcd-ca")]
    Etcd,
    /// The API server calling aggregated APIs on someone's behalf.
    #[serde(rename = "front-proxy-ca")]
    FrontProxy,
}

impl Authority {
    pub const ALL: [Authority; 3] = [Authority::Cluster, Authority::Etcd, Authority::FrontProxy];

    /// The stem of its files.
    pub fn stem(self) -> &'static str {
        match self {
            Authority::Cluster => "ca",
            Authority::Etcd => "etcd-ca",
            Authority::FrontProxy => "front-proxy-ca",
        }
    }

    pub fn common_name(self) -> &'static str {
        match self {
            Authority::Cluster => "kubernetes-ca",
            Authority::Etcd => "etcd-ca",
            Authority::FrontProxy => "front-proxy-ca",
        }
    }
}
