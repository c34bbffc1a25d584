//! Private keys stay where they are: none is written where Nix would copy it into its store,
//! or where git would commit it. With real git, and Nix itself where the rule is Nix' own.

#![allow(clippy::unwrap_used, clippy::expect_used)] // clippy.toml covers test functions, not their helpers

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const CLUSTER: &str = r#"{
  "cni": "bridge",
  "nodes": {
    "hub": { "role": "control-plane", "address": "10.240.0.10" },
    "west": { "role": "worker", "address": "10.240.0.21" }
  }
}
"#;
const FLAKE: &str = "{ outputs = _: { answer = 42; }; }\n";

/// A folder with a cluster in it, or below it.
struct Folder {
    _own: tempfile::TempDir,
    top: PathBuf,
}

impl Folder {
    fn new() -> Self {
        let own = tempfile::tempdir().unwrap();
        // As git and Nix see it: without symbolic links.
        let top = own.path().canonicalize().unwrap();
        Self { _own: own, top }
    }

    fn with(self, name: &str, text: &str) -> Self {
        let path = self.top.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    fn git(self) -> Self {
        git(&self.top, &["init", "--quiet"]);
        self
    }

    fn hardway(&self, folder: &str, arguments: &[&str]) -> Said {
        self.hardway_with(folder, arguments, std::env::var("PATH").unwrap())
    }

    fn hardway_with(&self, folder: &str, arguments: &[&str], path: String) -> Said {
        let output = Command::new(env!("CARGO_BIN_EXE_hardway"))
            .current_dir(self.top.join(folder))
            .args(arguments)
            .env_clear()
            .env("PATH", path)
            // No configuration of the user's says what git ignores.
            .env("HOME", &self.top)
            .output()
            .unwrap();
        Said::of(output, &self.top)
    }

    /// Runs a hint's commands.
    fn shell(&self, folder: &str, commands: &str) {
        let output = Command::new("sh")
            .args(["-ec", commands])
            .current_dir(self.top.join(folder))
            .env("HOME", &self.top)
            .output()
            .unwrap();
        assert!(output.status.success(), "{commands}: {output:?}");
    }

    fn has(&self, name: &str) -> bool {
        self.top.join(name).symlink_metadata().is_ok()
    }
}

#[derive(Debug)]
struct Said {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Said {
    fn of(output: Output, top: &Path) -> Self {
        let text = |bytes| {
            let text = String::from_utf8(bytes).unwrap();
            text.replace(top.to_str().unwrap(), "[top]")
        };
        Self {
            code: output.status.code().unwrap(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// The command of the last hint.
    fn hint(&self) -> &str {
        let line = self.stderr.lines().find(|line| line.starts_with("hint: "));
        line.unwrap().trim_start_matches("hint: ")
    }
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(["-c", "user.name=A", "-c", "user.email=a@example.org"])
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "git {arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn no_key_in_a_flake_outside_git() {
    let folder = Folder::new()
        .with("cluster.json", CLUSTER)
        .with("flake.nix", FLAKE)
        .with(".gitignore", ".hardway/\n");
    for verb in [
        &["generate"][..],
        &["up"],
        &["pki", "csr"],
        &["pki", "break-glass", "--minutes", "5"],
        &["pki", "renew", "--all"],
    ] {
        let said = folder.hardway(".", verb);
        assert_ne!(said.code, 0, "{verb:?}");
        assert!(!folder.has(".hardway") && !folder.has("hosts"), "{verb:?}");
    }
    let said = folder.hardway(".", &["generate"]);
    assert_eq!((said.code, said.stdout.as_str()), (1, ""));
    assert_eq!(
        said.stderr,
        "error: refused to write private keys to [top]/.hardway\n\
         caused by: [top] is a flake outside git, so Nix copies the whole folder into its store, \
         which every user can read\n\
         hint: git init && git add -A\n"
    );
    folder.shell(".", said.hint());
    let said = folder.hardway(".", &["generate"]);
    assert_eq!((said.code, said.stderr.as_str()), (0, ""));
    assert!(folder.has(".hardway/pki/ca-key.pem"));
    folder.shell(".", "git add -A");
    assert!(!git(&folder.top, &["ls-files"]).contains(".hardway"));
}

/// The hint's command ignores the state folder before it adds anything.
#[test]
fn what_the_hint_says_adds_no_key() {
    let folder = Folder::new()
        .with("cluster.json", CLUSTER)
        .with(".gitignore", "/target");
    assert_eq!(folder.hardway(".", &["generate"]).code, 0);
    let folder = folder.with("flake.nix", FLAKE);
    let said = folder.hardway(".", &["status", "--json"]);
    assert_eq!(
        said.stderr.split("error").next().unwrap(),
        "warning: this cluster's private keys are not safe: [top] is a flake outside git, so Nix \
         copies the whole folder into its store, which every user can read\n\
         hint: printf '\\n%s\\n' .hardway/ >>.gitignore && git init && git add -A\n\
         hint: then replace the keys, since they may have been copied already: `hardway destroy` \
         and `hardway up`; docs/pki.md says how a running cluster gets new ones\n"
    );
    assert!(serde_json::from_str::<serde_json::Value>(&said.stdout).is_ok());
    // No further key, either, and no copy of one.
    for verb in [&["generate"][..], &["snapshot", "save", "monday"]] {
        let said = folder.hardway(".", verb);
        assert_eq!(said.code, 1);
        assert!(
            said.stderr
                .contains("error: refused to write private keys to [top]/.hardway\n"),
            "{said:?}"
        );
    }
    folder.shell(".", said.hint());
    assert_eq!(
        git(&folder.top, &["ls-files", "--", ".hardway", ".gitignore"]),
        ".gitignore\n"
    );
    let said = folder.hardway(".", &["generate"]);
    assert_eq!((said.code, said.stderr.as_str()), (0, ""));
}

#[test]
fn a_flake_above_the_cluster_is_copied_with_it() {
    let folder = Folder::new()
        .with("flake.nix", FLAKE)
        .with("below/cluster.json", CLUSTER);
    let said = folder.hardway("below", &["generate"]);
    assert_eq!(said.code, 1);
    assert_eq!(
        said.stderr,
        "error: refused to write private keys to [top]/below/.hardway\n\
         caused by: [top] is a flake outside git, so Nix copies the whole folder into its store, \
         which every user can read\n\
         hint: move the cluster out of [top]; or echo .hardway/ >>.gitignore && cd [top] && \
         git init && git add flake.nix\n"
    );
    // A repository of the cluster's own does not help: `nix run [top]` copies it too.
    git(&folder.top.join("below"), &["init", "--quiet"]);
    let said = folder.hardway("below", &["generate"]);
    assert!(
        said.stderr.contains("[top] is a flake outside git"),
        "{said:?}"
    );
    let folder = folder.with("below/.gitignore", ".hardway/\n").git();
    assert_eq!(folder.hardway("below", &["generate"]).code, 0);
}

/// The flake may be in a home folder: what the hint says adds the flake's own files alone.
#[test]
fn what_the_hint_says_adds_nothing_else_of_a_folder_above() {
    let folder = Folder::new()
        .with("flake.nix", FLAKE)
        .with("flake.lock", "{}\n")
        .with("diary.txt", "secret\n")
        .with("lab/cluster.json", CLUSTER);
    let said = folder.hardway("lab", &["generate"]);
    let (move_out, commands) = said.hint().split_once("; or ").unwrap();
    assert_eq!(move_out, "move the cluster out of [top]");
    folder.shell(
        "lab",
        &commands.replace("[top]", folder.top.to_str().unwrap()),
    );
    assert_eq!(git(&folder.top, &["ls-files"]), "flake.lock\nflake.nix\n");
    let said = folder.hardway("lab", &["generate"]);
    assert_eq!((said.code, said.stderr.as_str()), (0, ""));
}

#[test]
fn git_has_to_ignore_the_state_folder() {
    let folder = Folder::new().git().with("a b/cluster.json", CLUSTER);
    let said = folder.hardway(".", &["--dir", "a b", "generate"]);
    assert_eq!((said.code, said.stdout.as_str()), (1, ""));
    assert_eq!(
        said.stderr,
        "error: refused to write private keys to [top]/a b/.hardway\n\
         caused by: git does not ignore [top]/a b/.hardway, so `git add -A` would commit them\n\
         hint: echo .hardway/ >>'a b/.gitignore'\n"
    );
    assert!(!folder.has("a b/.hardway"));
    folder.shell(".", said.hint());
    let said = folder.hardway("a b", &["generate"]);
    assert_eq!((said.code, said.stderr.as_str()), (0, ""));
}

/// Rules of folders above, of .git/info/exclude, and exceptions: git's own judgement.
#[test]
fn whatever_rule_of_gits_it_is() {
    let cluster = |ignore: &str| {
        let folder = Folder::new().git().with("deep/er/cluster.json", CLUSTER);
        let folder = folder.with(".gitignore", ignore);
        folder.hardway("deep/er", &["generate"]).code
    };
    assert_eq!(cluster(".hardway/\n"), 0);
    assert_eq!(cluster("deep\n"), 0);
    assert_eq!(cluster("/.hardway/\n"), 1);
    assert_eq!(cluster(".hardway/\n!/deep/er/.hardway/\n"), 1);
    let folder = Folder::new()
        .git()
        .with("cluster.json", CLUSTER)
        .with(".git/info/exclude", ".hard*\n");
    assert_eq!(folder.hardway(".", &["generate"]).code, 0);
}

#[test]
fn keys_that_git_tracks() {
    let folder = Folder::new().with("cluster.json", CLUSTER);
    assert_eq!(folder.hardway(".", &["generate"]).code, 0);
    let folder = folder.git();
    let said = folder.hardway(".", &["lint"]);
    assert_eq!(
        said.stderr,
        "warning: this cluster's private keys are not safe: git does not ignore [top]/.hardway, \
         so `git add -A` would commit them\n\
         hint: echo .hardway/ >>.gitignore\n"
    );
    git(&folder.top, &["add", "-A"]);
    let said = folder.hardway(".", &["generate"]);
    assert_eq!(said.code, 1);
    assert_eq!(
        said.stderr,
        "warning: this cluster's private keys are not safe: git tracks files in [top]/.hardway, so \
         commits hold them and Nix copies them into its store, which every user can read\n\
         hint: echo .hardway/ >>.gitignore && git -C . rm -r --cached --quiet .hardway\n\
         hint: then replace the keys, since they may have been copied already: `hardway destroy` \
         and `hardway up`; docs/pki.md says how a running cluster gets new ones\n\
         error: refused to write private keys to [top]/.hardway\n\
         caused by: git tracks files in [top]/.hardway, so commits hold them and Nix copies them \
         into its store, which every user can read\n\
         hint: echo .hardway/ >>.gitignore && git -C . rm -r --cached --quiet .hardway\n"
    );
    folder.shell(".", said.hint());
    assert_eq!(folder.hardway(".", &["generate"]).stderr, "");
    assert!(folder.has(".hardway/pki/ca-key.pem"));
}

/// A folder elsewhere, to which a link leads, is not copied with the flake.
#[test]
fn a_link_to_a_folder_elsewhere() {
    let elsewhere = Folder::new();
    let folder = Folder::new()
        .with("cluster.json", CLUSTER)
        .with("flake.nix", FLAKE);
    std::os::unix::fs::symlink(&elsewhere.top, folder.top.join(".hardway")).unwrap();
    let said = folder.hardway(".", &["generate"]);
    assert_eq!((said.code, said.stderr.as_str()), (0, ""));
    assert!(elsewhere.has("pki/ca-key.pem"));
}

#[test]
fn without_git_only_a_plain_line_counts() {
    let empty = tempfile::tempdir().unwrap();
    let path = empty.path().to_str().unwrap();
    let generate = |ignore: &str| {
        let folder = Folder::new().git().with("cluster.json", CLUSTER);
        let folder = folder.with(".gitignore", ignore);
        folder.hardway_with(".", &["generate"], path.to_owned())
    };
    for ignore in [".hardway/\n", "/.hardway\n"] {
        assert_eq!(generate(ignore).code, 0, "{ignore}");
    }
    for ignore in ["", ".hard*\n", ".hardway/\n!.hardway/\n"] {
        let said = generate(ignore);
        assert_eq!(said.code, 1, "{ignore}");
        assert_eq!(
            said.stderr,
            "error: refused to write private keys to [top]/.hardway\n\
             caused by: [top]/.hardway is in a git work tree, no .gitignore has a line for it, and \
             git cannot be asked: No such file or directory (os error 2)\n\
             hint: echo .hardway/ >>.gitignore\n"
        );
    }
}

/// A key that is to go to another place than the state folder.
#[test]
fn the_same_of_a_key_in_another_file() {
    let folder = Folder::new().with("flake.nix", FLAKE).with(
        "csr.json",
        r#"{ "CN": "mine", "key": { "algo": "ecdsa", "size": 256 } }"#,
    );
    folder.shell(
        ".",
        &format!(
            "{} pki gencert -initca csr.json >ca.json",
            env!("CARGO_BIN_EXE_hardway")
        ),
    );
    let json = ["pki", "json", "-f", "ca.json", "-bare", "ca"];
    let said = folder.hardway(".", &json);
    assert_eq!(said.code, 1);
    assert!(
        said.stderr
            .starts_with("error: refused to write private keys to ca-key.pem\n"),
        "{said:?}"
    );
    assert!(!folder.has("ca-key.pem"));
    let folder = folder.git().with(".gitignore", "*-key.pem\n");
    assert_eq!(folder.hardway(".", &json).stderr, "");
    assert!(folder.has("ca-key.pem"));
}

/// The rule is Nix': what `nix run` in such a folder copies into its store.
#[test]
fn nix_copies_what_is_refused() {
    let folder = Folder::new()
        .with("flake.nix", FLAKE)
        .with("below/cluster.json", CLUSTER)
        .with("below/.gitignore", ".hardway/\n")
        .with("below/.hardway/pki/old-key.pem", "secret");
    // A store of its own, outside of the folder.
    let store = Folder::new();
    let copied = || {
        let output = Command::new("nix")
            .args(["--extra-experimental-features", "nix-command flakes"])
            .arg("--store")
            .arg(&store.top)
            .args(["flake", "metadata", "."])
            .current_dir(folder.top.join("below"))
            .env("HOME", &store.top)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let files = walkdir::WalkDir::new(store.top.join("nix/store")).into_iter();
        let files = files.map(|entry| entry.unwrap().into_path());
        files
            .filter(|path| path.ends_with("below/.hardway/pki/old-key.pem"))
            .count()
    };
    git(&folder.top, &["init", "--quiet"]);
    git(&folder.top, &["add", "-A"]);
    assert_eq!(copied(), 0, "in git, what is ignored stays");
    assert_eq!(folder.hardway("below", &["generate"]).code, 0);
    fs::remove_dir_all(folder.top.join(".git")).unwrap();
    assert_eq!(copied(), 1, "outside git, all of it is copied");
    assert_eq!(folder.hardway("below", &["generate"]).code, 1);
}
