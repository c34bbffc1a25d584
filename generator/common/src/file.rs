//! Writing a file whole or not at all: whoever reads it, also after a kill at any
//! moment, finds the text before or the text after.

use std::fs::{self, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::report::WithHint;

/// The mode of a file that its owner alone reads.
pub const PRIVATE: u32 = 0o600;

/// Puts a file with these bytes and this mode in the place of `path`. Its folder
/// is made if there is none.
pub fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let replace = || -> std::io::Result<()> {
        // A temporary file is the owner's alone from the moment it is made.
        let mut file = match tempfile::NamedTempFile::new_in(folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                fs::create_dir_all(folder)?;
                tempfile::NamedTempFile::new_in(folder)?
            }
            made => made?,
        };
        file.write_all(bytes)?;
        if mode != PRIVATE {
            file.as_file()
                .set_permissions(Permissions::from_mode(mode))?;
        }
        file.persist(path)?;
        Ok(())
    };
    replace()
        .with_context(|| format!("cannot write {}", path.display()))
        .hint(format!(
            "check who owns {} and whether its disk is full",
            folder.display()
        ))
}

/// Removes a file, if there is one.
pub fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// A file name made of what is in the file: 16 hexadecimal digits.
pub fn content_name(bytes: &[u8]) -> String {
    hex::encode(&Sha256::digest(bytes)[..8])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_old_file_stays_where_the_new_one_cannot_be_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/a");
        replace(&path, b"one", PRIVATE).unwrap();
        replace(&path, b"two", 0o755).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o755
        );

        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        let told = crate::report::render(&replace(&path, b"three", PRIVATE).unwrap_err());
        assert!(
            told.starts_with(&format!("error: cannot write {}\n", path.display())),
            "{told}"
        );
        assert!(told.contains("\nhint: check who owns "), "{told}");
        // And nothing half-written beside it.
        assert_eq!(fs::read_dir(folder.path().join("new")).unwrap().count(), 1);
    }
}
