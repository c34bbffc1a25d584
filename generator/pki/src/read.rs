//! Reading files that people may have put anything into: no more than cfssl's JSON and
//! a certificate ever need.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use anyhow::{Context, Result, anyhow};

use super::store::Bytes;
use common::report::WithHint;

/// In bytes: generated.json of a thousand nodes fits, a disk image does not.
const LIMIT: u64 = 8 << 20;

/// A file's content, or None if there is no such file.
pub(super) fn read_file(path: &Path) -> Result<Option<Bytes>> {
    match File::open(path) {
        Ok(file) => read(file)
            .with_context(|| format!("cannot read {}", path.display()))
            .hint(format!("look at it: ls -ld {}", path.display()))
            .map(Some),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error)
            .with_context(|| format!("cannot read {}", path.display()))
            .hint(format!("check what it is: ls -ld {}", path.display())),
    }
}

/// All that there is to read, up to the limit.
pub fn read(from: impl Read) -> Result<Bytes> {
    let mut bytes = Bytes::default();
    from.take(LIMIT + 1).read_to_end(&mut bytes)?;
    match u64::try_from(bytes.len())? > LIMIT {
        true => Err(anyhow!(
            "it is longer than {} MiB, which no file of a PKI is",
            LIMIT >> 20
        )),
        false => Ok(bytes),
    }
}
