//! What needs no cluster: `hardway init`, how a cluster is found or begun, the schema,
//! completions and manual pages.

#![allow(clippy::unwrap_used, clippy::expect_used)] // clippy.toml covers test functions, not their helpers

use std::fs;
use std::path::Path;
use std::process::Output;

use assert_cmd::Command;
use common::report;
use common::state::Paths;
use model::topology;

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
         write new/cluster/cluster.schema.json\nwrite new/cluster/.gitignore\n\
         run git init && git add cluster.json cluster.env cluster.schema.json .gitignore\n\
         next: cd new/cluster && hardway up\n"
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
    let added = "add .hardway/ to .gitignore\nrun git init && ";
    assert!(text(&output.stdout).contains(added), "{output:?}");
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
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
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

/// As in a hook of another repository: the new cluster gets a work tree of its own, and the
/// other one stays as it is.
#[test]
fn another_repository_in_the_environment() {
    let dir = tempfile::tempdir().unwrap();
    let other = dir.path().join("other");
    let git = std::process::Command::new("git")
        .args(["init", "--quiet"])
        .arg(&other)
        .status()
        .unwrap();
    assert!(git.success());
    let mut command = Command::cargo_bin("hardway").unwrap();
    let output = command
        .current_dir(dir.path())
        .args(["init", "mine"])
        .env("GIT_DIR", other.join(".git"))
        .env("GIT_WORK_TREE", &other)
        .env("GIT_INDEX_FILE", other.join(".git/index"))
        .output()
        .unwrap();
    assert_eq!((text(&output.stderr), output.status.code()), ("", Some(0)));
    assert!(dir.path().join("mine/.git").is_dir());
    assert!(tracked(&dir.path().join("mine")).contains("cluster.json"));
    assert_eq!(tracked(&other), "");
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

const URL: &str = "git+https://example.org/hardway?ref=main";

/// What `nix flake init` copies.
fn template() -> std::path::PathBuf {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    repository.join("templates/default")
}

fn tracked(dir: &Path) -> String {
    let git = std::process::Command::new("git")
        .args(["ls-files"])
        .current_dir(dir)
        .output()
        .unwrap();
    assert!(git.status.success(), "{git:?}");
    text(&git.stdout).to_owned()
}

#[test]
fn a_flake_with_the_url_filled_in() {
    let dir = tempfile::tempdir().unwrap();
    let output = hardway(dir.path(), &["init", "mine", "--flake", URL]);
    assert_eq!(text(&output.stderr), "");
    assert_eq!(
        text(&output.stdout),
        "write mine/flake.nix\nwrite mine/cluster.json\nwrite mine/cluster.env\n\
         write mine/sigma.nix\nwrite mine/cluster.schema.json\nwrite mine/.gitignore\n\
         run git init && git add flake.nix cluster.json cluster.env sigma.nix \
         cluster.schema.json .gitignore\n\
         next: cd mine && nix run .#cluster-up\n"
    );
    let mine = dir.path().join("mine");
    let flake = fs::read_to_string(mine.join("flake.nix")).unwrap();
    assert!(flake.contains(&format!("\n  inputs.hardway.url = \"{URL}\";\n")));
    assert!(!flake.contains("OWNER"), "{flake}");
    // The rest is the template's, and the schema that cluster.json names.
    for name in ["cluster.env", "sigma.nix", ".gitignore"] {
        let read = |dir: &Path| fs::read(dir.join(name)).unwrap();
        assert_eq!(read(&mine), read(&template()), "{name}");
    }
    let json = fs::read_to_string(mine.join("cluster.json")).unwrap();
    assert_eq!(
        json.replace("  \"$schema\": \"./cluster.schema.json\",\n", ""),
        fs::read_to_string(template().join("cluster.json")).unwrap()
    );
    assert!(json.contains("$schema"), "{json}");
    let generated = hardway(&mine, &["generate"]);
    assert_eq!(text(&generated.stderr), "");
    assert_eq!(
        tracked(&mine),
        ".gitignore\ncluster.env\ncluster.json\ncluster.schema.json\nflake.nix\nsigma.nix\n"
    );
}

#[test]
fn an_unfilled_template_is_recognised_and_filled_in() {
    let dir = tempfile::tempdir().unwrap();
    let dir = &dir.path().canonicalize().unwrap();
    for entry in fs::read_dir(template()).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), dir.join(entry.file_name())).unwrap();
    }
    let before = fs::read_to_string(dir.join("flake.nix")).unwrap();
    assert_eq!(
        before.lines().next().unwrap(),
        "# Replace OWNER in inputs.hardway.url below, or have it replaced: `hardway init --flake URL`."
    );
    let warning = format!(
        "warning: {}/flake.nix has OWNER in inputs.hardway.url still, so Nix cannot evaluate it\n\
         hint: hardway init --flake URL, where URL is the flake that you have hardway from, such as \
         github:NAME/hardway\n",
        dir.display()
    );
    // Also before anything else can go wrong: here keys would be copied into Nix' store.
    for verb in ["lint", "generate", "up"] {
        let stderr = hardway(dir, &[verb]).stderr;
        assert!(
            text(&stderr).starts_with(&warning),
            "{verb}: {}",
            text(&stderr)
        );
    }
    let output = hardway(dir, &["init", "--flake", URL]);
    assert_eq!(
        (text(&output.stdout), text(&output.stderr)),
        (
            &*format!(
                "fill {URL} into flake.nix\nrun git init && git add .\n\
                 next: nix run .#cluster-up\n"
            ),
            ""
        )
    );
    let after = fs::read_to_string(dir.join("flake.nix")).unwrap();
    let rest = before.split_once("\n#\n").unwrap().1;
    assert_eq!(after, rest.replace("github:OWNER/hardway", URL));
    assert_eq!(text(&hardway(dir, &["generate"]).stderr), "");
    // Filled in once: a second time would overwrite.
    let output = hardway(dir, &["init", "--flake", URL]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).starts_with("error: would overwrite flake.nix, "));
}

#[test]
fn what_is_no_flake_reference_is_a_mistake_of_usage() {
    let dir = tempfile::tempdir().unwrap();
    for (url, reason) in [
        ("github:OWNER/hardway", "OWNER stands for a name"),
        ("github.com/me/hardway", "this is no flake reference"),
        ("../hardway", "this is no flake reference"),
        ("github:me/hardway#init", "leave out # and what follows"),
        ("github:me/\"; x = \"", "a flake reference has no '\"'"),
    ] {
        let output = hardway(dir.path(), &["init", "--flake", url]);
        assert_eq!(output.status.code(), Some(2), "{url}");
        assert!(text(&output.stderr).contains(reason), "{output:?}");
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

/// A repository that is there stays one, and its index as the user has it.
#[test]
fn no_repository_within_a_repository() {
    let dir = tempfile::tempdir().unwrap();
    let git = std::process::Command::new("git")
        .args(["init", "--quiet"])
        .current_dir(dir.path())
        .status();
    assert!(git.unwrap().success());
    let output = hardway(dir.path(), &["init", "below", "--flake", URL]);
    assert!(
        text(&output.stdout).ends_with(
            "write below/.gitignore\nNix sees a new file once git does: git add -A\n\
             next: cd below && nix run .#cluster-up\n"
        ),
        "{output:?}"
    );
    assert!(!dir.path().join("below/.git").exists());
    assert_eq!(tracked(dir.path()), "");
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
