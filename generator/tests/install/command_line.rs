//! `hardway install` refusing what it can't do, before any machine starts.

use std::fs;

use assert_cmd::Command;

use crate::support::{Cluster, small_medium};

#[test]
fn a_node_that_is_not_in_the_cluster() {
    let cluster = Cluster::new();
    let assert = Command::cargo_bin("hardway")
        .unwrap()
        .arg("--dir")
        .arg(cluster.folder.path())
        .args(["install", "omega", "--iso", "/nonexistent.iso"])
        .assert()
        .code(1);
    insta::assert_snapshot!(told(&assert.get_output().stderr));
}

#[test]
fn a_medium_of_another_architecture() {
    let folder = tempfile::tempdir().unwrap();
    let iso = small_medium(folder.path(), |tree| {
        fs::rename(
            tree.join("EFI/BOOT/BOOTX64.EFI"),
            tree.join("EFI/BOOT/BOOTAA64.EFI"),
        )
        .unwrap();
    });
    let cluster = Cluster::new();
    let assert = Command::cargo_bin("hardway")
        .unwrap()
        .arg("--dir")
        .arg(cluster.folder.path())
        .args(["install", "sigma", "--arch", "x86_64", "--iso"])
        .arg(&iso)
        .env("XDG_CACHE_HOME", folder.path())
        .assert()
        .code(1);
    let text = told(&assert.get_output().stderr);
    insta::assert_snapshot!(text.replace(&iso.display().to_string(), "[iso]"));
}

/// What was told, but for the word about an accelerator that is there and does not
/// work: it depends on the host.
fn told(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let lines = text
        .lines()
        .filter(|line| !line.contains(" is there but does not run a guest "));
    lines.flat_map(|line| [line, "\n"]).collect()
}
