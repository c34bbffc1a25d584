//! Whether private keys would leave the folder that holds them: into the Nix store, which
//! every user of the machine can read, or into a git commit.
//!
//! Nix searches for flake.nix from a folder upwards. Inside a git work tree it copies the
//! files that git tracks into its store; outside of one it copies the flake's whole folder,
//! ignored files included (Nix, flakeref.cc, `parsePathFlakeRefWithFragment`). A `path:`
//! reference always copies the whole folder: nothing here can prevent that.

use std::borrow::Cow;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Result, anyhow};

use crate::report::WithHint;
use crate::state::Paths;

/// How keys would leave, and what to type against it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Exposure {
    /// A clause that names the place.
    cause: String,
    /// Commands for a shell.
    hint: String,
    /// Whether keys that are there may have been copied already.
    copied: bool,
}

/// Fails where a private key at `place` (a file, or the state folder) would leave it.
/// Every function that writes a private key asks first.
pub fn refuse(place: &Path) -> Result<()> {
    match find(place) {
        None => Ok(()),
        Some(exposure) => Err(anyhow!(exposure.cause))
            .map_err(|error| {
                error.context(format!(
                    "refused to write private keys to {}",
                    place.display()
                ))
            })
            .hint(exposure.hint),
    }
}

/// A warning where the cluster's state folder holds keys that would leave it, or have left.
pub fn warning(paths: &Paths) -> Option<String> {
    if !paths.pki().is_dir() {
        return None;
    }
    let Exposure {
        cause,
        hint,
        copied,
    } = find(&paths.state())?;
    let replace = match copied {
        true => {
            "\nhint: then replace the keys, since they may have been copied already: `hardway \
             destroy` and `hardway up`; docs/pki.md says how a running cluster gets new ones"
        }
        false => "",
    };
    Some(format!(
        "warning: this cluster's private keys are not safe: {cause}\nhint: {hint}{replace}"
    ))
}

fn find(place: &Path) -> Option<Exposure> {
    let place = resolved(place);
    let folder = place.parent()?;
    let work_trees: Vec<&Path> = folder.ancestors().filter(|up| has(up, ".git")).collect();
    // Above the outermost work tree, a flake is copied with all the work trees in it.
    let outside = |up: &&Path| work_trees.last().is_none_or(|tree| !up.starts_with(tree));
    let flake = folder
        .ancestors()
        .filter(outside)
        .find(|up| has(up, "flake.nix"));
    if let Some(flake) = flake {
        return Some(in_flake(&place, folder, flake));
    }
    in_git(&place, folder, work_trees.first()?)
}

/// A flake outside git. Of a folder above the cluster's, the hint adds the flake alone to git:
/// that folder may be a whole home folder.
fn in_flake(place: &Path, folder: &Path, flake: &Path) -> Exposure {
    let mut commands = Vec::new();
    if !lines_ignore(place, flake) {
        commands.push(ignore(place, folder));
    }
    if std::env::current_dir().is_ok_and(|here| here != flake) {
        commands.push(format!("cd {}", word(flake)));
    }
    commands.push("git init".to_owned());
    commands.push(match (flake == folder, has(flake, "flake.lock")) {
        (true, _) => "git add -A".to_owned(),
        (false, true) => "git add flake.nix flake.lock".to_owned(),
        (false, false) => "git add flake.nix".to_owned(),
    });
    let mut hint = commands.join(" && ");
    if flake != folder {
        hint = format!("move the cluster out of {}; or {hint}", flake.display());
    }
    Exposure {
        cause: format!(
            "{} is a flake outside git, so Nix copies the whole folder into its store, which \
             every user can read",
            flake.display()
        ),
        hint,
        copied: true,
    }
}

/// A git work tree that does not ignore `place`, or that tracks it. `tree`: its top.
fn in_git(place: &Path, folder: &Path, tree: &Path) -> Option<Exposure> {
    let shown = place.display();
    let unignored = |cause: String| Exposure {
        cause,
        hint: ignore(place, folder),
        copied: false,
    };
    // A file in the state folder, which need not be there yet.
    let probe = match is_folder(place) {
        true => place.join("key.pem"),
        false => place.to_owned(),
    };
    let ignored = match git(folder, &["check-ignore", "--quiet", "--no-index"], &probe) {
        Ok(output) if output.status.code() == Some(0) => true,
        Ok(output) if output.status.code() == Some(1) => false,
        _ if lines_ignore(place, tree) => return None,
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            return Some(unignored(format!(
                "git cannot tell whether it ignores {shown}: {}",
                said.lines().next().unwrap_or("it failed")
            )));
        }
        Err(error) => {
            return Some(unignored(format!(
                "{shown} is in a git work tree, no .gitignore has a line for it, and git cannot \
                 be asked: {error}"
            )));
        }
    };
    let tracked = git(folder, &["--literal-pathspecs", "ls-files", "-z"], place)
        .map_or(0, |output| {
            output.stdout.split(|byte| *byte == 0).count() - 1
        });
    if tracked > 0 {
        let stop = format!(
            "git -C {} rm -r --cached --quiet {}",
            word(folder),
            word(Path::new(place.file_name()?))
        );
        let hint = match ignored {
            true => stop,
            false => format!("{} && {stop}", ignore(place, folder)),
        };
        return Some(Exposure {
            cause: format!(
                "git tracks files in {shown}, so commits hold them and Nix copies them into its \
                 store, which every user can read"
            ),
            hint,
            copied: true,
        });
    }
    (!ignored).then(|| {
        unignored(format!(
            "git does not ignore {shown}, so `git add -A` would commit them"
        ))
    })
}

/// git in `folder`, in the work tree that it finds there: a hook may have named another one in
/// the environment.
pub fn git_in(folder: &Path) -> Command {
    let mut git = Command::new("git");
    git.arg("-C")
        .arg(folder)
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .env_remove("GIT_INDEX_FILE")
        .stdin(Stdio::null());
    git
}

/// git's answer about `path`.
fn git(folder: &Path, command: &[&str], path: &Path) -> std::io::Result<Output> {
    let existing = folder
        .ancestors()
        .find(|up| up.is_dir())
        .unwrap_or(Path::new("/"));
    git_in(existing).args(command).arg("--").arg(path).output()
}

/// Whether a .gitignore between `place` and `top` ignores it in so many words: what is known
/// without git. Patterns that could match otherwise are not interpreted.
fn lines_ignore(place: &Path, top: &Path) -> bool {
    let Some(name) = place.file_name().and_then(|name| name.to_str()) else {
        return false;
    };
    let mut ignored = false;
    let folders = place.ancestors().skip(1);
    for folder in folders.take_while(|folder| folder.starts_with(top)) {
        let text = fs::read_to_string(folder.join(".gitignore")).unwrap_or_default();
        for line in text.lines().map(str::trim) {
            if line.starts_with('!') && line.contains(name) {
                return false;
            }
            let plain = line.trim_end_matches('/');
            ignored |= plain == name
                || (plain.strip_prefix('/') == Some(name) && Some(folder) == place.parent());
        }
    }
    ignored
}

/// The command that makes git ignore `place`.
fn ignore(place: &Path, folder: &Path) -> String {
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    let slash = if is_folder(place) { "/" } else { "" };
    let file = folder.join(".gitignore");
    let line = word(Path::new(&format!("{name}{slash}")));
    let whole = fs::read(&file).map_or(true, |bytes| bytes.last().is_none_or(|end| *end == b'\n'));
    match whole {
        true => format!("echo {line} >>{}", word(&file)),
        // `echo` would add to the last line.
        false => format!("printf '\\n%s\\n' {line} >>{}", word(&file)),
    }
}

/// The state folder, also before there is one.
fn is_folder(place: &Path) -> bool {
    place.is_dir() || place.file_name() == Some(Paths::STATE.as_ref())
}

fn has(folder: &Path, name: &str) -> bool {
    folder.join(name).symlink_metadata().is_ok()
}

/// `path` without symbolic links, of which Nix copies no target. What is not there yet stays.
fn resolved(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    for up in path.ancestors() {
        if let (Ok(real), Ok(rest)) = (up.canonicalize(), path.strip_prefix(up)) {
            // Joining an empty path would add a slash.
            return rest.components().fold(real, |real, part| real.join(part));
        }
    }
    path
}

/// One word for a shell; relative to the current folder where it lies in there.
fn word(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let path = match path.strip_prefix(&here) {
        Ok(below) if below.as_os_str().is_empty() => Path::new("."),
        Ok(below) => below,
        Err(_) => path,
    };
    let text = path.to_string_lossy();
    shlex::try_quote(&text).map_or_else(|_| text.to_string(), Cow::into_owned)
}
