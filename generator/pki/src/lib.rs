//! Who can prove to be whom: the cluster's authorities, certificates, keys and
//! kubeconfigs, made in process and kept in the state folder, never in a Nix store.
//!
//! [`requests`] writes the same PKI down as cfssl's JSON, for people to read and to edit
//! ([`with_edits`]), and for cfssl to sign; [`ensure`] signs from those very files: it
//! makes what is missing and keeps what still matches.

mod accept;
mod algorithm;
mod asked;
mod authority;
pub mod cfssl;
mod edits;
mod elsewhere;
mod encryption;
mod ensure;
mod fingerprint;
mod forget;
mod found;
pub mod gencert;
mod identity;
mod import;
mod issue;
mod judge;
mod key;
mod kubeconfig;
mod modes;
mod read;
mod renew;
mod request;
mod requests;
mod rotation;
mod san;
mod service_account;
mod show;
mod ssh;
mod store;
mod subject;
mod uses;
mod validity;

pub use accept::{Accepted, accept};
pub use asked::Asked;
pub use edits::with_edits;
pub use ensure::{Summary, ensure, sign_in_memory};
pub use fingerprint::fingerprint;
pub use forget::{forget, has_etcd};
pub use identity::{
    Identity, admin_identity, bootstrap_done, bootstrap_identity, bootstrap_ready, break_glass,
};
pub use import::{Imported, asked as asked_for, look};
pub use judge::{Judgement, NodeFile, OnNode, judge, judge_node};
pub use kubeconfig::{host_kubeconfig, host_server};
pub use read::read;
pub use renew::{Renewal, Wish, renew};
pub use request::{BOOTSTRAP, Request, request};
pub use requests::requests;
pub use rotation::{Rotation, Step, authority_named};
pub use show::{Shown, show, tree};
pub use ssh::{ssh_client_key, ssh_host};
pub use store::{Bytes, node_files};
pub use uses::Use;
pub use validity::{Validity, validities, validities_in};

use time::Duration;

/// How far a certificate's validity reaches into the past: a virtual machine's
/// clock may be wrong by minutes until its first time synchronisation, and a
/// certificate from the future is refused. cfssl's own, too.
const BACKDATE: Duration = Duration::minutes(5);

/// A leaf's whole lifetime, kubeadm's too.
const LEAF_LIFETIME: Duration = Duration::hours(8760);

/// An authority's whole lifetime: ten years of 365 days.
const AUTHORITY_EXPIRY: &str = "87600h";

/// Kubernetes lets this group do everything, and no RBAC rule can take that back.
const MASTERS: &str = "system:masters";
