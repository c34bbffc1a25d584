//! `hardway init`: the files that a cluster begins with. Nothing is overwritten.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow};

use super::Global;
use crate::report::WithHint;
use crate::topology;

/// Write a cluster.json to begin with, and what belongs beside it
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The folder; made if it is not there [default: --dir, or the current folder]
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// The state folder holds private keys: git must not see it.
const IGNORED: &str = ".hardway/";

pub(super) fn run(global: &Global, args: &Args) -> Result<ExitCode> {
    let here = PathBuf::from(".");
    let dir = args
        .folder
        .as_ref()
        .or(global.dir.as_ref())
        .unwrap_or(&here);
    let files = [
        ("cluster.json", topology::default_json().to_owned()),
        ("cluster.env", topology::default_env().to_owned()),
        ("cluster.schema.json", topology::default_schema()),
    ];
    let present: Vec<String> = files
        .iter()
        .map(|(name, _)| dir.join(name))
        .filter(|path| path.symlink_metadata().is_ok())
        .map(|path| shown(&path))
        .collect();
    if !present.is_empty() {
        let reason = anyhow!("would overwrite {}", present.join(", "));
        return Err(reason)
            .hint("move what is there away, or name another folder: hardway init DIR");
    }
    fs::create_dir_all(dir)
        .with_context(|| format!("cannot make the folder {}", dir.display()))
        .hint("name a folder that you may write to: hardway init DIR")?;
    for (name, text) in &files {
        let path = dir.join(name);
        create(&path, text)?;
        println!("write {}", shown(&path));
    }
    ignore_state(dir)?;
    Ok(ExitCode::SUCCESS)
}

/// Where there is no cluster yet and the folder is empty: the default cluster.
pub(super) fn begin(global: &Global) -> Result<()> {
    if topology::find(global.dir.as_deref()).is_ok() {
        return Ok(());
    }
    let here = PathBuf::from(".");
    let dir = global.dir.as_ref().unwrap_or(&here);
    if is_empty(dir)? {
        run(global, &Args { folder: None })?;
    }
    Ok(())
}

/// Whether nothing is there that a person wrote; a fresh repository is empty too.
fn is_empty(dir: &Path) -> Result<bool> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true),
        Err(error) => {
            return Err(error).with_context(|| format!("cannot look into {}", dir.display()));
        }
    };
    Ok(entries.flatten().all(|entry| entry.file_name() == ".git"))
}

/// Writes a file that is not there yet.
fn create(path: &Path, text: &str) -> Result<()> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("cannot write {}", path.display()))
        .hint("check that the folder can be written to")
}

/// Adds the state folder to .gitignore, which may well be there and hold other lines.
fn ignore_state(dir: &Path) -> Result<()> {
    let path = dir.join(".gitignore");
    if !path.exists() {
        create(&path, &format!("{IGNORED}\n"))?;
        println!("write {}", shown(&path));
        return Ok(());
    }
    let before = fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))
        .hint(format!("add the line {IGNORED} to it by hand"))?;
    if before.lines().any(|line| line.trim() == IGNORED) {
        return Ok(());
    }
    let line_break = if before.is_empty() || before.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    OpenOptions::new()
        .append(true)
        .open(&path)
        .and_then(|mut file| writeln!(file, "{line_break}{IGNORED}"))
        .with_context(|| format!("cannot add {IGNORED} to {}", path.display()))
        .hint(format!("add the line {IGNORED} to it by hand"))?;
    println!("add {IGNORED} to {}", shown(&path));
    Ok(())
}

fn shown(path: &Path) -> String {
    path.strip_prefix(".").unwrap_or(path).display().to_string()
}
