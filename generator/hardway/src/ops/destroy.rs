//! `hardway destroy`: the machines, their disks, the keys: everything but what people wrote.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::snapshot::{Name, Record};
use super::would::Would;
use super::{lock, machines};
use common::state::Paths;

/// What [`destroy`] would do; nothing where there is nothing.
pub fn look(paths: &Paths) -> Result<Would> {
    let mut would = Would::default();
    if !paths.state().is_dir() {
        return Ok(would);
    }
    lock::check(paths)?;
    for (node, machine) in machines::running(paths)? {
        would.step(format!(
            "end {node}'s machine (process {}), which is not shut down first",
            machine.pid()
        ));
    }
    for folder in folders(paths) {
        if folder.is_dir() {
            would.step(format!("remove {}", folder.display()));
        }
    }
    for node in machines::known(paths)? {
        would.lose(format!("the machine {node} and its disk"));
    }
    let snapshots = Record::names(paths)?;
    if !snapshots.is_empty() {
        let names: Vec<&str> = snapshots.iter().map(Name::as_str).collect();
        would.lose(format!("the snapshots: {}", names.join(", ")));
    }
    would.lose(format!(
        "{} with every key and certificate",
        paths.state().display()
    ));
    Ok(would)
}

/// Ends every machine and removes the state. hosts/ and cluster.json stay. False where
/// there is nothing to remove.
pub fn destroy(paths: &Paths) -> Result<bool> {
    if !paths.state().is_dir() {
        return Ok(false);
    }
    lock::hold_only(paths, "destroy", || {
        for (node, machine) in machines::running(paths)? {
            machine
                .kill()
                .with_context(|| format!("cannot end {node}'s machine"))?;
        }
        for folder in folders(paths) {
            remove(&folder)?;
        }
        Ok(true)
    })
}

/// The sockets go first.
fn folders(paths: &Paths) -> [PathBuf; 2] {
    [paths.runtime(), paths.state()]
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}
