//! What needs no cluster: `hardway init`, how a cluster is found or begun, the schema,
//! completions and manual pages.

#![allow(clippy::unwrap_used, clippy::expect_used)] // clippy.toml covers test functions, not their helpers

use std::fs;
use std::path::Path;
use std::process::Output;

use assert_cmd::Command;
use hardway::state::Paths;
use hardway::{report, topology};

fn hardway(dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::cargo_bin("hardway").unwrap();
    command.current_dir(dir).args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn writes_a_cluster_that_loads() {
    let dir = tempfile::tempdir().unwrap();
    let output = hardway(dir.path(), &["init", "new/cluster"]);
    assert_eq!(text(&output.stderr), "");
    assert_eq!(
        text(&output.stdout),
        "write new/cluster/cluster.json\nwrite new/cluster/cluster.env\n\
         write new/cluster/cluster.schema.json\nwrite new/cluster/.gitignore\n"
    );
    let cluster = dir.path().join("new/cluster");
    assert_eq!(
        fs::read_to_string(cluster.join(".gitignore")).unwrap(),
        ".hardway/\n"
    );
    let paths = topology::find(Some(&cluster)).unwrap();
    let names: Vec<String> = topology::load(&paths)
        .unwrap()
        .nodes
        .iter()
        .map(|node| node.name.to_string())
        .collect();
    assert_eq!(names, ["alpha", "gamma", "sigma"]);
}

#[test]
fn overwrites_nothing() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("cluster.env"), "mine").unwrap();
    let output = hardway(dir.path(), &["init"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        text(&output.stderr),
        "error: would overwrite cluster.env\n\
         hint: move what is there away, or name another folder: hardway init DIR\n"
    );
    let names: Vec<_> = fs::read_dir(dir.path()).unwrap().collect();
    assert_eq!(names.len(), 1, "nothing else was written");
    assert_eq!(
        fs::read_to_string(dir.path().join("cluster.env")).unwrap(),
        "mine"
    );
}

#[test]
fn adds_one_line_to_a_gitignore() {
    let dir = tempfile::tempdir().unwrap();
    let ignore = dir.path().join(".gitignore");
    fs::write(&ignore, "/target").unwrap();
    let output = hardway(dir.path(), &["init"]);
    assert!(text(&output.stdout).ends_with("add .hardway/ to .gitignore\n"));
    assert_eq!(fs::read_to_string(&ignore).unwrap(), "/target\n.hardway/\n");
}

#[test]
fn the_schema_is_the_one_that_init_writes() {
    let dir = tempfile::tempdir().unwrap();
    let printed = hardway(dir.path(), &["schema"]).stdout;
    hardway(dir.path(), &["init"]);
    let written = fs::read(dir.path().join("cluster.schema.json")).unwrap();
    assert_eq!(text(&printed), text(&written));
}

#[test]
fn the_repository_holds_what_init_writes() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let dir = tempfile::tempdir().unwrap();
    hardway(dir.path(), &["init"]);
    for name in ["cluster.json", "cluster.env", "cluster.schema.json"] {
        let written = fs::read_to_string(dir.path().join(name)).unwrap();
        let committed = fs::read_to_string(repository.join(name)).unwrap();
        assert_eq!(committed, written, "{name} at the top of the repository");
    }
}

#[test]
fn without_a_cluster_the_hint_is_init() {
    let dir = tempfile::tempdir().unwrap();
    let error = topology::find(Some(dir.path())).unwrap_err();
    let shown = dir.path().display();
    assert_eq!(
        report::render(&error),
        format!("error: there is no cluster.json in {shown}\nhint: run `hardway init {shown}`\n")
    );
}

#[test]
fn text_that_is_no_utf8_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("cluster.json");
    fs::write(&file, b"{ \"name\": \"h\xe4rdway\" }").unwrap();
    let error = topology::load(&Paths::new(dir.path())).unwrap_err();
    let report = report::render(&error);
    assert!(
        report.contains(&format!("cannot read {}", file.display())),
        "{report}"
    );
    assert!(
        report.ends_with("hint: save the file as UTF-8\n"),
        "{report}"
    );
}

#[test]
fn up_begins_with_the_default_cluster_in_an_empty_folder() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join(".git")).unwrap();
    // With nothing on the PATH it goes no further: the machines would follow.
    let output = up_init(dir.path());
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        text(&output.stdout),
        "write cluster.json\nwrite cluster.env\nwrite cluster.schema.json\nwrite .gitignore\n"
    );
    assert!(
        text(&output.stderr).starts_with("error: "),
        "{}",
        text(&output.stderr)
    );
    // Now there is one: nothing is written again.
    assert_eq!(text(&up_init(dir.path()).stdout), "");
}

#[test]
fn up_begins_nothing_among_other_files() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("letter.txt"), "").unwrap();
    let output = up_init(dir.path());
    assert_eq!(output.status.code(), Some(1));
    let here = fs::canonicalize(dir.path()).unwrap();
    assert_eq!(
        text(&output.stderr),
        format!(
            "error: there is no cluster.json in {} or a folder above it\n\
             hint: run `hardway init` (with Nix: `nix run FLAKE#init`), \
             or name the cluster's folder with --dir\n",
            here.display()
        )
    );
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

/// `hardway up --init` as `nix run` starts it: in the folder, without --dir.
fn up_init(dir: &Path) -> Output {
    let empty = tempfile::tempdir().unwrap();
    let mut command = Command::cargo_bin("hardway").unwrap();
    command
        .current_dir(dir)
        .args(["up", "--init"])
        .env("PATH", empty.path())
        .env_remove("HARDWAY_ISO")
        .output()
        .unwrap()
}

#[test]
fn every_shell_completes_every_verb() {
    let dir = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let output = hardway(dir.path(), &["completions", shell]);
        assert_eq!(text(&output.stderr), "", "{shell}");
        for word in ["kubectl", "install", "destroy"] {
            assert!(text(&output.stdout).contains(word), "{shell}: {word}");
        }
    }
}

#[test]
fn a_manual_page_for_every_verb() {
    let dir = tempfile::tempdir().unwrap();
    let output = hardway(dir.path(), &["man", "pages"]);
    assert_eq!(text(&output.stdout), "write pages/hardway*.1\n");
    let page = |name: &str| fs::read_to_string(dir.path().join("pages").join(name)).unwrap();
    assert!(page("hardway.1").contains("hardway\\-up(1)"));
    assert!(page("hardway-up.1").contains("\\-\\-verify"));
    // What changes machines or disks says before what it would do, and what it loses.
    for verb in [
        "apply",
        "destroy",
        "down",
        "generate",
        "install",
        "pki-renew",
        "reset",
        "restore",
        "snapshot-delete",
        "snapshot-restore",
        "snapshot-save",
        "up",
    ] {
        let page = page(&format!("hardway-{verb}.1"));
        assert!(page.contains("\\-\\-dry\\-run"), "{verb}");
        assert!(page.contains("\\-\\-json"), "{verb}");
    }
    for verb in [
        "destroy",
        "install",
        "reset",
        "restore",
        "snapshot-delete",
        "up",
    ] {
        let page = page(&format!("hardway-{verb}.1"));
        assert!(page.contains("\\-\\-yes"), "{verb}");
    }
}
