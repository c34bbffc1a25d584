//! Machines whose disks are overlays on one base: they run side by side, the cluster's
//! folder can be moved, and a base that is gone or another is told before QEMU starts.

use std::fs;
use std::process::Command;

use common::report::render;
use common::state::Paths;
use hardway::deploy::install::base::{self, Base};
use hardway::ops::doctor;
use qemu::disk::{self, Content};
use qemu::{Arch, Host};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::Bench;

/// The disks of both nodes begin anew, as overlays on a base with a word in it, and count
/// as installed.
pub(crate) fn on_one_base(bench: &Bench, host: &Host) {
    let paths = bench.paths();
    let files = paths.base_in_making();
    let content = Content::Empty(1);
    disk::create(&host.qemu, host.arch, &host.firmware, &files, content).unwrap();
    let written = Command::new("qemu-io")
        .args(["-c", "write -P 0x5a 1M 64k"])
        .arg(files.disk())
        .output()
        .unwrap();
    assert!(written.status.success(), "{written:?}");
    let image = paths.base("words");
    fs::rename(files.disk(), &image).unwrap();
    let base = Base {
        name: "words".to_owned(),
        sha256: format!("{:x}", Sha256::digest(fs::read(&image).unwrap())),
    };
    for node in &bench.topology.nodes {
        let files = paths.node(&node.name);
        let relative = base.from_node();
        let content = Content::Overlay(&relative);
        disk::create(&host.qemu, host.arch, &host.firmware, &files, content).unwrap();
        let installed = json!({
            "medium": "none", "mediumSha256": "", "flakeSha256": "", "keysSha256": "",
            "base": base, "system": "x86_64-linux", "finished": "2026-01-01T00:00:00Z",
        });
        fs::write(files.installed(), installed.to_string()).unwrap();
    }
}

#[test]
fn a_base_that_is_gone_or_another_is_told_before_qemu_starts() {
    let bench = Bench::new();
    let host = bench.ready(Arch::X86_64, "hub");
    on_one_base(&bench, &host);
    let paths = bench.paths();
    let image = paths.base("words");
    let told = |what: &str| {
        format!(
            "error: east cannot start: its disk holds only what differs from its base\n\
             caused by: {} {what}\n\
             hint: put the file back if you have it, or install anew what was on it: \
             hardway install east hub\n",
            image.display()
        )
    };
    let start = || bench.start(&host, "east");

    let kept = fs::read(&image).unwrap();
    fs::remove_file(&image).unwrap();
    assert_eq!(render(&start().unwrap_err()), told("is not there"));
    let mut other = kept.clone();
    *other.last_mut().unwrap() ^= 1;
    fs::write(&image, other).unwrap();
    assert_eq!(
        render(&start().unwrap_err()),
        told("is not what it was: its SHA-256 is another")
    );
    assert!(!paths.node(&bench.node("east").name).argv().exists());
    let checks = doctor::doctor(&paths, &bench.topology);
    let check = checks.iter().find(|check| check.name == "base image");
    let remedy = check.unwrap().remedy.as_ref().unwrap();
    assert!(remedy.ends_with("hardway install east hub"), "{remedy}");

    // The same bytes again, and both nodes on them at once.
    fs::write(&image, kept).unwrap();
    let east = start().unwrap();
    let hub = bench.start(&host, "hub").unwrap();
    assert!(east.alive() && hub.alive());
}

#[test]
fn an_overlay_finds_its_base_where_the_clusters_folder_has_gone() {
    let bench = Bench::new();
    let host = bench.ready(Arch::X86_64, "hub");
    on_one_base(&bench, &host);
    let elsewhere = tempfile::tempdir().unwrap();
    let moved = Paths::new(elsewhere.path());
    fs::rename(bench.paths().state(), moved.state()).unwrap();
    for node in &bench.topology.nodes {
        base::check(&moved, &bench.topology, node).unwrap();
        let read = Command::new("qemu-io")
            .args(["-r", "-c", "read -P 0x5a 1M 64k"])
            .arg(moved.node(&node.name).disk())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&read.stdout);
        assert!(
            read.status.success() && !said.contains("failed"),
            "{read:?}"
        );
    }
}

#[test]
fn a_base_that_no_node_is_on_is_removed() {
    let bench = Bench::new();
    let host = bench.ready(Arch::X86_64, "hub");
    on_one_base(&bench, &host);
    let paths = bench.paths();
    for name in ["old", "cut-short"] {
        fs::write(paths.base(name), "").unwrap();
    }
    fs::write(paths.base_record("old"), "{}").unwrap();
    base::tidy(&paths, &["words".to_owned()].into()).unwrap();
    let mut left: Vec<_> = fs::read_dir(paths.bases())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    left.sort();
    assert_eq!(left, ["unfinished", "words.qcow2"]);
}
