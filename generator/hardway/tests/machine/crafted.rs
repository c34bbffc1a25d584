//! What is said of snapshots, and of such that do not fit: their records are made up.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

/// A cluster's folder with one snapshot, all of whose hashes are made up.
fn crafted() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let written = hardway(dir, &["init", dir.to_str().unwrap()]);
    assert_eq!(written.0, 0, "{}", written.2);
    let state = dir.join(".hardway");
    fs::create_dir_all(state.join("snapshots")).unwrap();
    fs::write(state.join("code.fd"), "code").unwrap();
    let host = json!({
        "arch": "x86_64", "qemu": "/usr/bin/qemu-system-x86_64", "version": "9.1.0",
        "machine": "pc-q35-9.1", "accelerator": "tcg", "passed_over": null,
        "firmware": { "code": state.join("code.fd"), "variables": state.join("code.fd") },
    });
    fs::write(state.join("machine.json"), host.to_string()).unwrap();
    let generation = json!({ "flakeSha256": "f", "keysSha256": "k", "installed": "then" });
    let record = |kind: &str, name: &str| {
        json!({
            "name": name, "description": "a \"good\" day", "taken": "2026-01-02T03:04:05Z",
            "kind": kind, "topologySha256": "t0", "pkiSha256": "p0",
            "generation": { "alpha": generation },
            "platform": {
                "qemu": "7.2.22", "accelerator": "kvm", "cpu": "host (Some 9000)",
                "machine": "pc-q35-7.2", "firmwareSha256": "f0",
            },
        })
    };
    for (kind, name) in [("running", "hot"), ("cold", "cold-1")] {
        let file = state.join("snapshots").join(format!("{name}.json"));
        fs::write(file, record(kind, name).to_string()).unwrap();
    }
    folder
}

fn hardway(dir: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_hardway"))
        .arg("--dir")
        .arg(dir)
        .args(arguments)
        .output()
        .unwrap();
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[test]
fn list_and_show_read_like_this() {
    let folder = crafted();
    let dir = folder.path();
    let (code, stdout, stderr) = hardway(dir, &["snapshot", "list"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert_eq!(
        stdout,
        "\
NAME    TAKEN                 KIND     DESCRIPTION
cold-1  2026-01-02T03:04:05Z  cold     a \"good\" day
hot     2026-01-02T03:04:05Z  running  a \"good\" day
"
    );
    let (_, stdout, _) = hardway(dir, &["snapshot", "list", "--json"]);
    let listed: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(listed[1]["name"], "hot");
    assert_eq!(listed[1]["platform"]["machine"], "pc-q35-7.2");

    let (code, stdout, stderr) = hardway(dir, &["snapshot", "show", "hot"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert_eq!(
        stdout,
        "\
name         hot
description  a \"good\" day
taken        2026-01-02T03:04:05Z
kind         running: disks, memory and devices
nodes        alpha
machine      QEMU 7.2.22, pc-q35-7.2, kvm, host (Some 9000)
firmware     f0
topology     t0
PKI          p0
fits         no: cluster.json or cluster.env says something else than then; alpha is not the \
installation that it was then; the PKI is another one than then; QEMU was 7.2.22 and is 9.1.0; \
the accelerator was kvm and is tcg; the guests' processor was host (Some 9000) and is \
max,erms=off,fsrm=off,la57=off; the machine type was pc-q35-7.2 and is pc-q35-9.1; \
the firmware is another file
"
    );
    let (_, stdout, _) = hardway(dir, &["snapshot", "show", "cold-1", "--json"]);
    let shown: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(shown["kind"], "cold");
    assert_eq!(
        shown["differences"].as_array().unwrap().len(),
        3,
        "another QEMU starts a cold one: {stdout}"
    );
}

#[test]
fn what_cannot_be_restored_says_why() {
    let folder = crafted();
    let dir = folder.path();
    let (code, stdout, stderr) = hardway(dir, &["restore", "cold-1"]);
    assert_eq!((code, stdout.as_str()), (1, ""));
    assert_eq!(
        stderr,
        "\
error: the snapshot cold-1 does not fit this cluster
caused by: cluster.json or cluster.env says something else than then; alpha is not the installation \
that it was then; the PKI is another one than then
hint: bring back what differs, or remove it: hardway snapshot delete cold-1
"
    );
    let absent = "error: there is no snapshot nine\nhint: there are cold-1, hot\n";
    for verb in ["restore", "show", "delete"] {
        let told = hardway(dir, &["snapshot", verb, "nine"]);
        assert_eq!(told, (1, String::new(), absent.to_owned()));
    }
    let (code, _, stderr) = hardway(dir, &["reset"]);
    assert_eq!(code, 1);
    assert!(
        stderr.starts_with("error: there is no snapshot fresh\n"),
        "{stderr}"
    );
    let (code, _, stderr) = hardway(dir, &["snapshot", "save", "new"]);
    assert_eq!(code, 1);
    assert_eq!(
        stderr,
        "error: alpha is not installed\nhint: run `hardway up` first\n"
    );
    for bad in ["../../etc", "a/b", &"a".repeat(300)] {
        let (code, _, stderr) = hardway(dir, &["snapshot", "save", bad]);
        assert_eq!(code, 2, "{stderr}");
        assert!(stderr.contains("a name "), "{stderr}");
    }
    // A record that promises nothing any more is removed like any other.
    assert_eq!(
        hardway(dir, &["snapshot", "delete", "cold-1", "--yes"]),
        (0, "deleted cold-1\n".to_owned(), String::new())
    );
    assert_eq!(
        hardway(dir, &["snapshot", "list"]).1.lines().count(),
        2,
        "the other stays"
    );
}
