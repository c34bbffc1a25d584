//! `hardway generate` as a person, a script and a CI job meet it: every byte that
//! it prints, and what it leaves on disk.

#![allow(clippy::unwrap_used, clippy::expect_used)] // clippy.toml covers test functions, not their helpers

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use serde_json::{Value, json};

/// A worker and its control plane, so that what is printed is short enough to read.
const CLUSTER: &str = r#"{
  "cni": "bridge",
  "nodes": {
    "hub": { "role": "control-plane", "address": "10.240.0.10" },
    "west": { "role": "worker", "address": "10.240.0.21" }
  }
}
"#;

struct Cluster(tempfile::TempDir);

impl Cluster {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("cluster.json"), CLUSTER).unwrap();
        Self(folder)
    }

    /// One that `hardway generate` has been through.
    fn generated() -> Self {
        let cluster = Self::new();
        assert_eq!(cluster.run(&[]).0, 0);
        cluster
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn edit(&self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(name)).unwrap();
        assert!(text.contains(from), "{from} is in {text}");
        fs::write(self.path(name), text.replace(from, to)).unwrap();
    }

    /// Exit code, stdout and stderr of `hardway generate …`.
    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let output = Command::cargo_bin("hardway")
            .unwrap()
            .env_clear()
            .arg("--dir")
            .arg(self.0.path())
            .arg("generate")
            .args(arguments)
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let code = output.status.code().unwrap();
        (code, text(output.stdout), text(output.stderr))
    }

    /// The same, as one text.
    fn shown(&self, arguments: &[&str]) -> String {
        let (code, stdout, stderr) = self.run(arguments);
        let command = [&["hardway", "generate"], arguments].concat().join(" ");
        format!("$ {command}\n{stdout}") + &format!("---- stderr\n{stderr}---- exit code {code}\n")
    }

    /// Every file's path, mode and content.
    fn files(&self) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
        walkdir::WalkDir::new(self.0.path())
            .into_iter()
            .map(Result::unwrap)
            .filter(|entry| entry.file_type().is_file())
            .map(|entry| {
                let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
                let path = entry.path().strip_prefix(self.0.path()).unwrap();
                (path.to_path_buf(), (mode, fs::read(entry.path()).unwrap()))
            })
            .collect()
    }
}

#[test]
fn from_nothing_and_again() {
    let cluster = Cluster::new();
    insta::assert_snapshot!(cluster.shown(&[]) + &cluster.shown(&[]));
    let files = cluster.files();
    for (path, (mode, _)) in &files {
        let wanted = if path.starts_with(".hardway") {
            0o600
        } else {
            0o644
        };
        assert_eq!(mode, &wanted, "{}", path.display());
    }
}

/// What does not change is not even written again.
#[test]
fn a_second_run_leaves_every_file_alone() {
    let cluster = Cluster::generated();
    let times = || -> BTreeMap<PathBuf, _> {
        let paths = cluster.files().into_keys();
        paths
            .map(|path| {
                let time = fs::metadata(cluster.0.path().join(&path))
                    .unwrap()
                    .modified();
                (path, time.unwrap())
            })
            .collect()
    };
    let before = times();
    assert_eq!(cluster.run(&[]).0, 0);
    assert_eq!(times(), before);
}

/// `--check` needs no state and leaves none, so a CI job can run it on a clean clone.
#[test]
fn a_check_needs_no_state_and_writes_nothing() {
    let cluster = Cluster::generated();
    fs::remove_dir_all(cluster.path(".hardway")).unwrap();
    let before = cluster.files();
    insta::assert_snapshot!(cluster.shown(&["--check"]) + &cluster.shown(&["--check", "--json"]));
    assert_eq!(cluster.files(), before);
}

#[test]
fn what_is_out_of_date_is_shown_as_a_diff() {
    let cluster = Cluster::generated();
    fs::remove_file(cluster.path("hosts/pki/ca-csr.json")).unwrap();
    cluster.edit(
        "hosts/west/default.nix",
        "hostName = \"west\"",
        "hostName = \"wild\"",
    );
    fs::write(cluster.path("hosts/pki/old-csr.json"), "{}\n").unwrap();
    fs::write(cluster.path("hosts/west/mine.nix"), "{ }\n").unwrap();
    let before = cluster.files();
    insta::assert_snapshot!(cluster.shown(&["--check"]) + &cluster.shown(&["--dry-run"]));
    assert_eq!(cluster.files(), before);

    let (code, stdout, stderr) = cluster.run(&["--check", "--json"]);
    let report: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(code, 1);
    assert!(stderr.starts_with("error: below hosts/ "), "{stderr}");
    assert_eq!(
        (&report["upToDate"], &report["written"]),
        (&json!(false), &json!(false))
    );
    let changes: Vec<(&str, &str)> = report["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| {
            (
                file["path"].as_str().unwrap(),
                file["change"].as_str().unwrap(),
            )
        })
        .collect();
    assert!(
        changes.contains(&("west/default.nix", "update")),
        "{changes:?}"
    );
    assert!(
        changes.contains(&("pki/old-csr.json", "remove")),
        "{changes:?}"
    );

    assert_eq!(cluster.run(&[]).0, 0);
    assert!(!cluster.path("hosts/pki/old-csr.json").exists());
    assert!(
        cluster.path("hosts/west/mine.nix").exists(),
        "a person's file"
    );
    assert_eq!(cluster.run(&["--check"]).0, 0);
}

#[test]
fn why_a_certificate_is_issued_anew() {
    let cluster = Cluster::generated();
    cluster.edit("cluster.json", "10.240.0.21", "10.240.0.22");
    fs::remove_file(cluster.path(".hardway/pki/admin-key.pem")).unwrap();
    fs::copy(
        cluster.path(".hardway/pki/kube-proxy-key.pem"),
        cluster.path(".hardway/pki/kube-scheduler-key.pem"),
    )
    .unwrap();
    insta::assert_snapshot!(cluster.shown(&[]) + &cluster.shown(&[]));
}

#[test]
fn the_same_as_data() {
    let cluster = Cluster::generated();
    cluster.edit("cluster.json", "10.240.0.21", "10.240.0.22");
    let (code, stdout, stderr) = cluster.run(&["--json"]);
    let report: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, stderr.as_str()), (0, ""));
    insta::assert_json_snapshot!(report, { ".files[].diff" => "[a unified diff]" });
}

#[test]
fn one_of_check_and_dry_run() {
    let (code, stdout, stderr) = Cluster::new().run(&["--check", "--dry-run"]);
    assert_eq!((code, stdout.as_str()), (2, ""));
    assert!(
        stderr.contains("'--check' cannot be used with '--dry-run'"),
        "{stderr}"
    );
}

/// A disk that can't be written to: named, and the old files stay.
#[test]
fn a_folder_that_cannot_be_written() {
    let cluster = Cluster::new();
    fs::write(cluster.path("hosts"), "in the way").unwrap();
    let (code, stdout, stderr) = cluster.run(&[]);
    assert_eq!((code, stdout.as_str()), (1, ""));
    assert!(stderr.starts_with("error: cannot "), "{stderr}");
    assert!(
        stderr.contains(&*cluster.path("hosts").to_string_lossy()),
        "{stderr}"
    );
    assert!(!Path::new(&cluster.path(".hardway")).exists());
}
