//! Who can prove to be whom: the cluster's authorities, certificates, keys and
//! kubeconfigs, made in process and kept in the state folder, never in a Nix store.
//!
//! [`requests`] writes the same PKI down as cfssl's JSON, for people to read and
//! for cfssl to sign; [`ensure`] makes what is missing and keeps what still matches.

mod authority;
mod encryption;
mod ensure;
mod fingerprint;
mod found;
mod identity;
mod issue;
mod key;
mod kubeconfig;
mod requests;
mod san;
mod service_account;
mod ssh;
mod store;
mod validity;

pub use ensure::{Summary, ensure};
pub use fingerprint::fingerprint;
pub use identity::{Identity, admin_identity, bootstrap_identity};
pub use kubeconfig::host_kubeconfig;
pub use requests::requests;
pub use ssh::{ssh_client_key, ssh_host};
pub use store::node_files;
pub use validity::{Validity, validities};

use time::Duration;

/// How far a certificate's validity reaches into the past: a virtual machine's
/// clock may be wrong by minutes until its first time synchronisation, and a
/// certificate from the future is refused.
const BACKDATE: Duration = Duration::hours(1);

/// A leaf's whole lifetime, kubeadm's too.
const LEAF_LIFETIME: Duration = Duration::hours(8760);

/// An authority's whole lifetime: ten years of 365 days.
const AUTHORITY_LIFETIME: Duration = Duration::hours(87_600);

/// A leaf with less than this left is issued anew, so that a cluster that is
/// brought up once a month never meets an expired one.
const RENEW_BEFORE: Duration = Duration::days(30);

/// Kubernetes lets this group do everything, and no RBAC rule can take that back.
const MASTERS: &str = "system:masters";
