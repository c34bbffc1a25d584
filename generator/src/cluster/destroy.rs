//! `hardway destroy`: the machines, their disks, the keys: everything but what people wrote.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result};

use super::{lock, machines};
use crate::state::Paths;

/// What a destruction removes, in words; empty when there is nothing.
pub fn targets(paths: &Paths) -> Result<Vec<String>> {
    if !paths.state().is_dir() {
        return Ok(Vec::new());
    }
    let mut targets: Vec<String> = machines::known(paths)?
        .iter()
        .map(|node| format!("the machine {node} and its disk"))
        .collect();
    targets.push(format!(
        "{} with every key and certificate",
        paths.state().display()
    ));
    Ok(targets)
}

/// Ends every machine and removes the state. hosts/ and cluster.json stay.
pub fn destroy(paths: &Paths) -> Result<()> {
    lock::hold(paths, "destroy", || {
        for (node, machine) in machines::running(paths)? {
            machine
                .kill()
                .with_context(|| format!("cannot end {node}'s machine"))?;
        }
        for folder in [paths.runtime(), paths.state()] {
            remove(&folder)?;
        }
        Ok(())
    })
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}
