//! Who the host is when it talks to the API server: the administrator, or, once,
//! someone who may bind the first roles.

use std::fmt;

use anyhow::{Context, Result};
use time::{Duration, OffsetDateTime};
use zeroize::Zeroizing;

use super::authority::Signer;
use super::issue::Wanted;
use super::store::Store;
use super::{BACKDATE, MASTERS};
use crate::plan::{Authority, Usage};
use crate::state::Paths;

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
    let now = OffsetDateTime::now_utc();
    let signer = Signer::read(Authority::Cluster, &Store::of(paths), now)?;
    let wanted = Wanted {
        common_name: "hardway-bootstrap".to_owned(),
        organization: Some(MASTERS.to_owned()),
        names: Vec::new(),
        usage: Usage::Client,
    };
    let leaf = wanted.issue_for(&signer.issuer, now, BACKDATE + BOOTSTRAP_LIFETIME)?;
    Ok(Identity {
        certificate_pem: leaf.certificate_pem,
        key_pem: leaf.key_pem,
        ca_pem: signer.certificate_pem,
    })
}
