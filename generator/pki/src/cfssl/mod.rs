//! cfssl's files and answers, as its own programs read and write them. Stricter in
//! four things: a field, usage or profile that is not known, a word for a name that is
//! neither a DNS name, an address, an e-mail address nor a URI, and a subject that says
//! the same thing twice are errors here and pass in silence there.

mod answer;
mod config;
mod duration;
mod request;
mod usage;

pub use answer::Answer;
pub use config::{Config, Constraint, Profile};
pub(super) use duration::hours;
pub use request::{Authority, KeyRequest, Name, Request};
pub(super) use usage::Usages;

use anyhow::{Context, Result, anyhow, ensure};
use serde::de::DeserializeOwned;

/// No request and no answer is as long; a file that is has been mistaken for one.
const LIMIT: usize = 1 << 20;

/// Reads JSON that is as long as it may be, and says where it is wrong.
fn read<T: DeserializeOwned>(text: &[u8]) -> Result<T> {
    ensure!(
        text.len() <= LIMIT,
        "it is {} bytes long; cfssl's JSON has 1 MiB at most",
        text.len()
    );
    let text = std::str::from_utf8(text).context("it is not text")?;
    ensure!(!text.trim().is_empty(), "it is empty");
    serde_json::from_str(text).map_err(|error| anyhow!("{error}"))
}
