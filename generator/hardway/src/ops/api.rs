//! The API server of a cluster, asked as one of the cluster's identities.

use std::time::Duration;

use anyhow::Result;
use kube::Client;
use pki::Identity;

/// A client of the API server behind `port` of this host.
pub(in crate::ops) fn client(port: u16, identity: &Identity, limit: Duration) -> Result<Client> {
    Client::new(
        port,
        &identity.ca_pem,
        &identity.certificate_pem,
        &identity.key_pem,
        limit,
    )
}
