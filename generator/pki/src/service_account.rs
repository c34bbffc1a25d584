//! The key pair of service accounts' tokens: the controller-manager signs with
//! it, the API server checks with it. Nobody else's, and no certificate.

use anyhow::{Context, Result};

use super::algorithm::Algorithm;
use super::key::Key;
use super::store::Store;
use common::report::WithHint;

pub(super) const STEM: &str = "service-account";
pub(super) const PUBLIC: &str = "service-account.pem";
pub(super) const PRIVATE: &str = "service-account-key.pem";

/// Makes the pair if there is no private key; true if anything was written.
/// A broken private key is an error: replacing it would end every token in use.
pub(super) fn ensure(store: &Store) -> Result<bool> {
    let key = match store.read(PRIVATE)? {
        Some(pem) => Key::from_pem(&pem)
            .with_context(|| format!("cannot use {}", store.path(PRIVATE).display()))
            .hint(format!(
                "restore {PRIVATE} from a copy; or replace the pair, which ends every token in \
                 use: remove it, run `hardway generate`, and install the control plane again"
            ))?,
        None => {
            let key = Key::generate(Algorithm::DEFAULT)?;
            store.write(PRIVATE, key.pem().as_bytes())?;
            key
        }
    };
    store.update(PUBLIC, key.public_pem())
}
