//! Keeps two runs on one cluster apart.
//!
//! The lock is the kernel's (flock), so a killed run leaves none behind; the
//! file's text only tells the next one who is in its way.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use fd_lock::RwLock;

use super::progress::Progress;
use super::snapshot;
use common::report::{Hint, WithHint, render};
use common::state::Paths;

/// Runs `body` while no other run of `hardway` changes this cluster. Makes the state folder,
/// and finishes what an earlier run, killed or in vain, can't be left with. Fails where a
/// machine has still to go back to what it was: what it does until then would be lost.
pub fn hold<T>(paths: &Paths, verb: &str, body: impl FnOnce() -> Result<T>) -> Result<T> {
    hold_only(paths, verb, || {
        snapshot::settle_keys(paths)?;
        snapshot::undo(paths)?;
        body()
    })
}

/// As [`hold`], but what cannot be undone is only a warning: for a command that lets no
/// machine go on.
pub(super) fn hold_despite_undo<T>(
    paths: &Paths,
    verb: &str,
    body: impl FnOnce() -> Result<T>,
) -> Result<T> {
    hold_only(paths, verb, || {
        snapshot::settle_keys(paths)?;
        if let Err(error) = snapshot::undo(paths) {
            let told = render(&error).replacen("error: ", "warning: ", 1);
            Progress::new([]).say(told.trim_end());
        }
        body()
    })
}

/// As [`hold`], whatever an earlier run has left.
pub fn hold_only<T>(paths: &Paths, verb: &str, body: impl FnOnce() -> Result<T>) -> Result<T> {
    paths.create_state()?;
    let path = paths.lock();
    let mut lock = RwLock::new(open(&path)?);
    let held = lock.try_write().map(|mut file| {
        // Best effort: the text is for people, the lock itself is held.
        let _ = write_holder(&mut file, verb);
        file
    });
    let guard = match held {
        Ok(guard) => guard,
        Err(error) if error.kind() == ErrorKind::WouldBlock => return Err(held_by(&path)),
        Err(error) => {
            return Err(error).with_context(|| format!("cannot lock {}", path.display()));
        }
    };
    // `destroy` removes the file with the folder: a lock on a file that is gone keeps nobody away.
    let same = std::fs::metadata(&path)
        .is_ok_and(|found| guard.metadata().is_ok_and(|held| found.ino() == held.ino()));
    if !same {
        return Err(anyhow!(
            "another run removed {} just now",
            paths.state().display()
        ))
        .hint("run the command again");
    }
    let result = body();
    // Nobody holds it from here: say so to those who look into the file.
    let _ = guard.set_len(0);
    result
}

/// Fails where another run holds the lock; takes none, and writes nothing.
pub fn check(paths: &Paths) -> Result<()> {
    let path = paths.lock();
    let Ok(file) = File::open(&path) else {
        return Ok(());
    };
    match RwLock::new(file).try_read() {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Err(held_by(&path)),
        _ => Ok(()),
    }
}

fn held_by(path: &Path) -> anyhow::Error {
    anyhow!("{} is working on this cluster", holder(path)).context(Hint(
        "wait until it is done, or end it with Ctrl-C".to_owned(),
    ))
}

fn open(path: &Path) -> Result<File> {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("cannot open the lock {}", path.display()))
        .hint("check who owns the folder and whether its file system is writable")
}

fn write_holder(file: &mut File, verb: &str) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{} {verb}", std::process::id())
}

/// Who holds the lock, e.g. "`hardway up` (process 4711)".
fn holder(path: &Path) -> String {
    let mut text = String::new();
    let read = File::open(path).and_then(|mut file| file.read_to_string(&mut text));
    match (read, text.trim().split_once(' ')) {
        (Ok(_), Some((pid, verb))) => format!("`hardway {verb}` (process {pid})"),
        _ => "another run of hardway".to_owned(),
    }
}
