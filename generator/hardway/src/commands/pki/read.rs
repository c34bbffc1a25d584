//! Reading the files that the commands of `hardway pki` are given.

use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result, anyhow};

use common::report::WithHint;

/// The bytes of a file, or of standard input for `-`.
pub(super) fn file(path: &Path) -> Result<pki::Bytes> {
    let cannot = || format!("cannot read {}", path.display());
    if path == Path::new("-") {
        return pki::read(std::io::stdin().lock()).with_context(cannot);
    }
    let file = File::open(path)
        .map_err(|error| anyhow!("{error}"))
        .with_context(cannot)
        .hint("give the name of a file that is there, or - for standard input")?;
    pki::read(file).with_context(cannot)
}
