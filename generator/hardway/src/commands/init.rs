//! `hardway init`: the files that a cluster begins with. Nothing is overwritten.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow};

use super::Global;
use crate::render::template::{self, FlakeUrl};
use common::exposure;
use common::file;
use common::report::WithHint;
use model::topology;
use qemu::search;

/// Write a cluster.json to begin with, and what belongs beside it
///
/// Where git is installed and the folder is in no work tree yet, `init` makes it one: outside
/// git, Nix copies the whole folder of a flake into its store, private keys too.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The folder; made if it is not there [default: --dir, or the current folder]
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Write a flake for it too, which has hardway from URL (such as github:NAME/hardway). In a
    /// flake.nix made by `nix flake init` it only fills URL in
    #[arg(long, value_name = "URL")]
    flake: Option<FlakeUrl>,
}

/// The state folder holds private keys: git must not see it.
const IGNORED: &str = ".hardway/";

pub(super) fn run(global: &Global, args: &Args) -> Result<ExitCode> {
    let dir = folder(global, args);
    match &args.flake {
        Some(url) if template::unfilled(&dir) => fill(&dir, url)?,
        _ => write(&dir, args.flake.as_ref())?,
    }
    let up = match args.flake {
        Some(_) => "nix run .#cluster-up",
        None => "hardway up",
    };
    match shown(&dir).as_str() {
        "" => println!("next: {up}"),
        dir => println!("next: cd {dir} && {up}"),
    }
    Ok(ExitCode::SUCCESS)
}

fn folder(global: &Global, args: &Args) -> PathBuf {
    let named = args.folder.as_ref().or(global.dir.as_ref());
    named.cloned().unwrap_or_else(|| PathBuf::from("."))
}

/// The files of a new cluster; with `url`, those of its flake.
fn write(dir: &Path, url: Option<&FlakeUrl>) -> Result<()> {
    let mut files = match url {
        None => vec![
            ("cluster.json", topology::default_json().to_owned()),
            ("cluster.env", topology::default_env().to_owned()),
        ],
        Some(url) => {
            let others = template::OTHERS.map(|(name, text)| (name, text.to_owned()));
            let mut files = vec![
                ("flake.nix", template::flake(url)),
                ("cluster.json", template::cluster()),
            ];
            files.extend(others);
            files
        }
    };
    files.push(("cluster.schema.json", topology::default_schema()));
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
    let names = files.iter().map(|(name, _)| *name).chain([".gitignore"]);
    work_tree(dir, &names.collect::<Vec<_>>(), url.is_some());
    Ok(())
}

/// Fills `url` into the flake.nix of the template.
fn fill(dir: &Path, url: &FlakeUrl) -> Result<()> {
    let path = dir.join("flake.nix");
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    file::replace(&path, template::fill(&text, url).as_bytes(), 0o644)?;
    println!("fill {url} into {}", shown(&path));
    ignore_state(dir)?;
    work_tree(dir, &["."], true);
    Ok(())
}

/// Makes `dir` a git work tree that has `names`, if it is in none: in a flake outside git no
/// key can be written. Best effort: `up` refuses where it is needed, and says what to type.
fn work_tree(dir: &Path, names: &[&str], flake: bool) {
    let Ok(dir) = dir.canonicalize() else { return };
    let inside = dir.ancestors().any(|up| up.join(".git").exists());
    if inside {
        if flake {
            println!("Nix sees a new file once git does: git add -A");
        }
        return;
    }
    if search("git").is_none() {
        if flake {
            eprintln!(
                "warning: git is not installed, and hardway writes no keys into a flake outside git"
            );
        }
        return;
    }
    let git = |words: &[&str]| match exposure::git_in(&dir).args(words).output() {
        Ok(output) if output.status.success() => true,
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            eprintln!(
                "warning: git {} failed: {}",
                words.join(" "),
                said.trim_end()
            );
            false
        }
        Err(error) => {
            eprintln!("warning: cannot run git: {error}");
            false
        }
    };
    let add: Vec<&str> = ["add", "--"].iter().chain(names).copied().collect();
    if git(&["init", "--quiet"]) && git(&add) {
        println!("run git init && git add {}", names.join(" "));
    }
}

/// Where there is no cluster yet and the folder is empty: the default cluster.
pub(super) fn begin(global: &Global) -> Result<()> {
    if topology::find(global.dir.as_deref()).is_ok() {
        return Ok(());
    }
    let here = PathBuf::from(".");
    let dir = global.dir.as_ref().unwrap_or(&here);
    if is_empty(dir)? {
        write(dir, None)?;
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
