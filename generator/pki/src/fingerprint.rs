//! One hash for what machines that exist depend on: the authorities, the key of
//! service accounts' tokens, and the one that Secrets are encrypted with. A leaf may
//! be issued anew without any machine noticing, so none has a part in it.

use anyhow::Result;
use sha2::{Digest, Sha256};

use super::store::Store;
use super::{encryption, service_account};
use common::state::Paths;
use model::plan::Authority;

/// The PKI's fingerprint, in hexadecimal; None where a file of it is missing.
pub fn fingerprint(paths: &Paths) -> Result<Option<String>> {
    let store = Store::of(paths);
    let authorities = Authority::ALL.map(|authority| format!("{}.pem", authority.stem()));
    let others = [service_account::PUBLIC, encryption::FILE].map(str::to_owned);
    let mut hash = Sha256::new();
    for name in authorities.iter().chain(&others) {
        let Some(bytes) = store.read(name)? else {
            return Ok(None);
        };
        hash.update(Sha256::digest(&bytes[..]));
    }
    Ok(Some(hex::encode(hash.finalize())))
}
