//! Who the host is when it talks to the API server: the administrator, or, once,
//! someone who may bind the first roles.

use std::fmt;

use anyhow::{Context, Result, anyhow};
use time::{Duration, OffsetDateTime};
use zeroize::Zeroizing;

use super::MASTERS;
use super::authority::Signer;
use super::found::{certificate_pem, check_validity};
use super::issue::Wanted;
use super::kubeconfig;
use super::read::read_file;
use super::request::{BOOTSTRAP, key_file};
use super::store::Store;
use super::subject::Subject;
use common::file;
use common::report::WithHint;
use common::state::Paths;
use model::plan::Authority;
use model::topology::Topology;

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
/// disk. Without it nobody could create the first role bindings. Where the authority's key
/// is elsewhere, the one that was accepted from there.
pub fn bootstrap_identity(topology: &Topology, paths: &Paths) -> Result<Identity> {
    if topology.is_external(Authority::Cluster) {
        return accepted(paths);
    }
    master(paths, &bootstrap_wanted()?)
}

pub(super) fn bootstrap_wanted() -> Result<Wanted> {
    master_wanted("hardway-bootstrap", BOOTSTRAP_LIFETIME)
}

/// Fails where the first role bindings will need a certificate that nobody here can sign,
/// and that has not been accepted, or not for now.
pub fn bootstrap_ready(topology: &Topology, paths: &Paths) -> Result<()> {
    match topology.is_external(Authority::Cluster) {
        true => accepted(paths).map(|_| ()),
        false => Ok(()),
    }
}

/// The first role bindings are there: nobody may do everything any more.
pub fn bootstrap_done(paths: &Paths) -> Result<()> {
    let csr = paths.requests().join(format!("{BOOTSTRAP}.csr"));
    for path in [key_file(paths, BOOTSTRAP), paths.bootstrap(), csr] {
        file::remove(&path)?;
    }
    Ok(())
}

fn accepted(paths: &Paths) -> Result<Identity> {
    let read = || -> Result<Identity> {
        let (certificate, key) = (
            read_file(&paths.bootstrap())?.context("none has been accepted")?,
            read_file(&key_file(paths, BOOTSTRAP))?.context("its key is missing")?,
        );
        let pem = certificate_pem(&certificate)?;
        check_validity(
            &pem.parse_x509()?,
            OffsetDateTime::now_utc(),
            Duration::ZERO,
        )?;
        let text = |bytes: &[u8]| -> Result<String> { Ok(std::str::from_utf8(bytes)?.to_owned()) };
        Ok(Identity {
            certificate_pem: text(&certificate)?,
            key_pem: Zeroizing::new(text(&key)?),
            ca_pem: text(&Store::of(paths).need("ca.pem")?)?,
        })
    };
    read()
        .context(
            "the first role bindings need a certificate in system:masters, and the key of ca is \
             elsewhere",
        )
        .hint(
            "have it signed there for an hour, not more than a day: hardway pki csr bootstrap; \
             hardway pki accept bootstrap FILE",
        )
}

fn master_wanted(common_name: &str, lifetime: Duration) -> Result<Wanted> {
    Wanted::client(Subject::new(common_name, Some(MASTERS)), lifetime)
}

/// Someone in `system:masters`.
fn master(paths: &Paths, wanted: &Wanted) -> Result<Identity> {
    let now = OffsetDateTime::now_utc();
    let signer = Signer::read(Authority::Cluster, &Store::of(paths), now)?;
    let leaf = wanted.issue(signer.issuer()?, now)?;
    Ok(Identity {
        certificate_pem: leaf.certificate_pem,
        key_pem: leaf.key_pem,
        ca_pem: signer.trusted_pem,
    })
}

/// The same on request, for a cluster whose own permissions nobody can mend any more; as
/// a kubeconfig, and at most for a day.
pub fn break_glass(topology: &Topology, paths: &Paths, minutes: u16) -> Result<Zeroizing<String>> {
    if topology.is_external(Authority::Cluster) {
        return Err(anyhow!(
            "cannot break the glass: the key of ca is elsewhere, as cluster.json says"
        ))
        .hint(
            "whoever has the key can sign a client in system:masters; with what is left of \
             permissions, try: hardway kubectl auth can-i --list",
        );
    }
    let lifetime = Duration::minutes(i64::from(minutes));
    let identity = master(paths, &master_wanted(BREAK_GLASS, lifetime)?)?;
    Ok(kubeconfig::text(
        &kubeconfig::of_host(topology, BREAK_GLASS),
        &identity.ca_pem,
        &identity.certificate_pem,
        &identity.key_pem,
    ))
}
