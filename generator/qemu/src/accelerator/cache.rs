//! What earlier probes found, kept for all clusters of a user: a probe takes
//! seconds, and its answer holds until QEMU or the host's kernel changes.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Accelerator;
use crate::Host;
use common::file::{PRIVATE, replace};
use common::state::cache_folder;

/// A failure is tried again after a day: it may have been a passing one.
const FAILURE_HOLDS: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Debug, Serialize, Deserialize)]
struct Answer {
    /// SHA-256 of the kernel that was booted; none if it was the firmware.
    kernel: Option<String>,
    /// Why it did not boot; none if it did.
    failure: Option<String>,
    /// Seconds since 1970.
    at: u64,
}

/// The answer of an earlier probe where it still holds, else of a new one.
pub(super) fn probe(
    host: &Host,
    accelerator: Accelerator,
    kernel: Option<&Path>,
) -> Result<Result<(), String>> {
    let kernel_digest = kernel.map(digest).transpose()?;
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let key = key(host, accelerator);
    let mut answers = file().map(|path| load(&path)).unwrap_or_default();
    if let Some(known) = answers.get(&key) {
        let same_kernel = kernel_digest.is_none() || known.kernel == kernel_digest;
        let fresh = known.failure.is_none()
            || now.saturating_sub(Duration::from_secs(known.at)) < FAILURE_HOLDS;
        if same_kernel && fresh {
            return Ok(known.failure.clone().map_or(Ok(()), Err));
        }
    }
    let outcome = super::boots(host, accelerator, kernel)?;
    let answer = Answer {
        kernel: kernel_digest,
        failure: outcome.clone().err(),
        at: now.as_secs(),
    };
    answers.insert(key, answer);
    // Without a cache the next run probes again; that is no reason to fail this one.
    if let Some(path) = file() {
        let text = serde_json::to_string_pretty(&answers)?;
        let _ = replace(&path, text.as_bytes(), PRIVATE);
    }
    Ok(outcome)
}

/// What the answer depends on, beside the kernel that was booted.
fn key(host: &Host, accelerator: Accelerator) -> String {
    let system = rustix::system::uname();
    format!(
        "{accelerator} {} {} {} {}",
        host.qemu.display(),
        host.version,
        system.nodename().to_string_lossy(),
        system.release().to_string_lossy(),
    )
}

fn digest(kernel: &Path) -> Result<String> {
    let mut hash = Sha256::new();
    let mut file = File::open(kernel)
        .with_context(|| format!("cannot read the kernel {}", kernel.display()))?;
    io::copy(&mut file, &mut hash)
        .with_context(|| format!("cannot read the kernel {}", kernel.display()))?;
    Ok(hash
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

fn file() -> Option<PathBuf> {
    cache_folder().map(|folder| folder.join("accelerator.json"))
}

/// An unreadable cache is an empty one.
fn load(path: &Path) -> BTreeMap<String, Answer> {
    fs::read(path)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default()
}
