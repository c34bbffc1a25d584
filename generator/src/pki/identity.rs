//! Who the host is when it talks to the API server: the administrator, or, once,
//! someone who may bind the first roles.

use std::fmt;

use anyhow::{Context, Result};
use time::{Duration, OffsetDateTime};
use zeroize::Zeroizing;

use super::MASTERS;
use super::authority::Signer;
use super::issue::Wanted;
use super::kubeconfig;
use super::store::Store;
use super::subject::Subject;
use crate::plan::Authority;
use crate::state::Paths;
use crate::topology::Topology;

/// Who does everything in the audit log, where the glass was broken.
const BREAK_GLASS: &str = "hardway-break-glass";

/// How long the first bindings may take.
const BOOTSTRAP_LIFETIME: Duration = Duration::minutes(10);

/// A client's certificate and key, with the authority to check the server against.
pub struct Identity {
    pub certificate_pem: String,
    pub key_pem: Zeroizing<String>,
    pub ca_pem: String,
}

impl fmt::Debug for Identity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Identity")
            .field("certificate_pem", &self.certificate_pem)
            .finish_non_exhaustive()
    }
}

/// The administrator, from the state folder.
pub fn admin_identity(paths: &Paths) -> Result<Identity> {
    let store = Store::of(paths);
    let text = |name: &str| -> Result<Zeroizing<String>> {
        let bytes = store.need(name)?;
        let text = std::str::from_utf8(&bytes)
            .with_context(|| format!("{} is not text", store.path(name).display()))?;
        Ok(Zeroizing::new(text.to_owned()))
    };
    Ok(Identity {
        certificate_pem: text("admin.pem")?.to_string(),
        key_pem: text("admin-key.pem")?,
        ca_pem: text("ca.pem")?.to_string(),
    })
}

/// The one certificate in `system:masters`: signed for ten minutes, never on a
/// disk. Without it nobody could create the first role bindings.
pub fn bootstrap_identity(paths: &Paths) -> Result<Identity> {
    master(paths, "hardway-bootstrap", BOOTSTRAP_LIFETIME)
}

/// Someone in `system:masters`, for as long as `lifetime`.
pub(super) fn master(paths: &Paths, common_name: &str, lifetime: Duration) -> Result<Identity> {
    let now = OffsetDateTime::now_utc();
    let signer = Signer::read(Authority::Cluster, &Store::of(paths), now)?;
    let wanted = Wanted::client(Subject::new(common_name, Some(MASTERS)), lifetime)?;
    let leaf = wanted.issue(&signer.issuer, now)?;
    Ok(Identity {
        certificate_pem: leaf.certificate_pem,
        key_pem: leaf.key_pem,
        ca_pem: signer.certificate_pem,
    })
}

/// The same on request, for a cluster whose own permissions nobody can mend any more; as
/// a kubeconfig, and at most for a day.
pub fn break_glass(topology: &Topology, paths: &Paths, minutes: u16) -> Result<Zeroizing<String>> {
    let identity = master(paths, BREAK_GLASS, Duration::minutes(i64::from(minutes)))?;
    Ok(kubeconfig::text(
        &kubeconfig::of_host(topology, BREAK_GLASS),
        &identity.ca_pem,
        &identity.certificate_pem,
        &identity.key_pem,
    ))
}
