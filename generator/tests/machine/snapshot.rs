//! Snapshots of two machines as one, under a real QEMU; and what is said of snapshots
//! that do not fit, of crafted ones.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use hardway::cluster::snapshot::{self, Kind, Name, Record};
use hardway::machine::argv::Sockets;
use hardway::machine::images::{Found, Images};
use hardway::machine::{Arch, Host, process};
use hardway::report::render;
use hardway::{generate, plan};
use serde_json::{Value, json};

use super::{Bench, FIRMWARE, base};

pub(super) const NODES: [&str; 2] = ["hub", "east"];

/// Both machines run; they count as installed, and there is a PKI.
pub(super) fn cluster(bench: &Bench) -> Host {
    let paths = bench.paths();
    generate::write(&bench.topology, &plan::plan(&bench.topology), &paths).unwrap();
    let mut host = None;
    for node in NODES {
        host = Some(bench.ready(Arch::X86_64, node));
    }
    let host = host.unwrap();
    // As real ones: overlays on one base.
    base::on_one_base(bench, &host);
    for node in NODES {
        bench.start(&host, node).unwrap();
    }
    host
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(super) fn save(bench: &Bench, text: &str) -> anyhow::Result<snapshot::Saved> {
    snapshot::save(&bench.paths(), &bench.topology, &name(text), None, false)
}

fn restore(bench: &Bench, text: &str) -> anyhow::Result<snapshot::Restored> {
    snapshot::restore(&bench.paths(), &bench.topology, &name(text), false, false)
}

pub(super) fn status(bench: &Bench, node: &str) -> Value {
    let running = process::find(&bench.paths(), &bench.node(node).name).unwrap();
    let answer = running.qmp().unwrap().execute("query-status", &json!({}));
    answer.unwrap()["status"].clone()
}

pub(super) fn found(bench: &Bench, host: &Host, node: &str, tag: &str) -> Found {
    let mut images = Images::of(&host.qemu, &bench.paths(), &bench.node(node).name).unwrap();
    images.find(tag).unwrap()
}

fn power_cut(bench: &Bench, node: &str) {
    let running = process::find(&bench.paths(), &bench.node(node).name).unwrap();
    running.kill().unwrap();
}

/// Types a line into the firmware's shell on the hub, and waits until `answer` is said.
fn shell(bench: &Bench, line: &str, answer: &str) {
    let socket = Sockets::of(&bench.paths(), bench.node("hub")).console;
    let mut console = UnixStream::connect(socket).unwrap();
    console
        .set_read_timeout(Some(Duration::from_millis(30)))
        .unwrap();
    let mut said = Vec::new();
    let mut listen = |console: &mut UnixStream| {
        let mut block = [0; 4096];
        let count = console.read(&mut block).unwrap_or(0);
        said.extend(&block[..count]);
        plain(&said)
    };
    // The firmware drops what is typed faster than it reads, and QEMU what it answers
    // while a few hundred bytes wait unread.
    for byte in line.bytes().chain(*b"\r") {
        console.write_all(&[byte]).unwrap();
        let typed = Instant::now();
        while typed.elapsed() < Duration::from_millis(30) {
            listen(&mut console);
        }
    }
    let deadline = Instant::now() + FIRMWARE;
    loop {
        let said = listen(&mut console);
        if said.contains(answer) {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "no {answer:?} after {line:?}: {said}"
        );
    }
}

/// The shell's words without the escape sequences that colour and place them.
fn plain(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let mut parts = text.split("\u{1b}[");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| c.is_ascii_alphabetic());
        plain += end.map_or("", |end| &part[end + 1..]);
    }
    plain
}

#[test]
fn a_snapshot_brings_both_machines_back_or_neither() {
    let bench = Bench::new();
    let host = cluster(&bench);
    bench.console("hub", "Shell>");
    shell(&bench, "set -v probe before", "Shell>");
    shell(&bench, "set probe", "probe = before");
    let saved = save(&bench, "one").unwrap();
    assert_eq!(saved.record.kind, Kind::Running);
    for node in NODES {
        assert_eq!(status(&bench, node), "running");
        assert_eq!(found(&bench, &host, node, "hardway-one"), Found::Memory);
    }
    assert_eq!(
        render(&save(&bench, "one").unwrap_err()),
        "error: there is a snapshot one already\n\
         hint: take another name, or remove it first: hardway snapshot delete one\n"
    );

    // One machine goes on, the other is off: both are then what they were.
    shell(&bench, "set -v probe after", "Shell>");
    shell(&bench, "set probe", "probe = after");
    power_cut(&bench, "east");
    restore(&bench, "one").unwrap();
    for node in NODES {
        assert_eq!(status(&bench, node), "running");
        let before = found(&bench, &host, node, "hardway~before-restore");
        assert_eq!(before, Found::Nowhere);
    }
    shell(&bench, "set probe", "probe = before");

    // Someone removes it from one disk: that is told before anything is touched.
    shell(&bench, "set -v probe later", "Shell>");
    power_cut(&bench, "east");
    let disk = bench.paths().node(&bench.node("east").name).disk();
    let removed = Command::new("qemu-img")
        .args(["snapshot", "-d", "hardway-one"])
        .arg(disk)
        .status()
        .unwrap();
    assert!(removed.success());
    assert_eq!(
        render(&restore(&bench, "one").unwrap_err()),
        "error: the snapshot one is not whole; nothing was touched\n\
         caused by: east has it in one of its two images\n\
         hint: it is of no use any more: hardway snapshot delete one\n"
    );
    assert_eq!(
        render(&save(&bench, "two").unwrap_err()),
        "error: a snapshot is of the whole cluster\n\
         caused by: hub is running and east is off\n\
         hint: `hardway up` starts what is off, `hardway down` stops the rest\n"
    );
    shell(&bench, "set probe", "probe = later");

    snapshot::delete(&bench.paths(), &bench.topology, &name("one")).unwrap();
    for node in NODES {
        assert_eq!(found(&bench, &host, node, "hardway-one"), Found::Nowhere);
    }
    assert_eq!(
        fs::read_dir(bench.paths().snapshots()).unwrap().count(),
        0,
        "its record and its keys are gone"
    );

    // Of machines that are off.
    power_cut(&bench, "hub");
    let saved = save(&bench, "cold").unwrap();
    assert_eq!((saved.record.kind, saved.paused), (Kind::Cold, None));
    assert_eq!(restore(&bench, "cold").unwrap().kind, Kind::Cold);
    assert_eq!(found(&bench, &host, "hub", "hardway-cold"), Found::Disks);
}

/// The disk of the machine grows as soon as its memory is written there.
#[test]
fn a_qemu_that_dies_during_a_save_leaves_nothing_half() {
    let bench = Bench::new();
    let host = cluster(&bench);
    let paths = bench.paths();
    for _ in 0..5 {
        let east = bench.start(&host, "east").unwrap();
        let disk = paths.node(&bench.node("east").name).disk();
        let before = fs::metadata(&disk).unwrap().len();
        let killer = std::thread::spawn(move || {
            let deadline = Instant::now() + Duration::from_secs(120);
            while fs::metadata(&disk).unwrap().len() == before {
                assert!(Instant::now() < deadline, "no save begins");
            }
            let killed = Command::new("kill")
                .args(["-9", &east.pid().to_string()])
                .status();
            assert!(killed.unwrap().success());
        });
        let saved = save(&bench, "one");
        killer.join().unwrap();
        let Err(error) = saved else {
            // It was through before the signal came: once more.
            snapshot::delete(&paths, &bench.topology, &name("one")).unwrap();
            continue;
        };
        assert!(render(&error).contains("east"), "{}", render(&error));
        assert_eq!(status(&bench, "hub"), "running");
        for node in NODES {
            assert_eq!(found(&bench, &host, node, "hardway-one"), Found::Nowhere);
        }
        assert!(Record::all(&paths).unwrap().is_empty());
        assert_eq!(
            fs::read_dir(paths.snapshots()).map_or(0, Iterator::count),
            0
        );
        return;
    }
    panic!("five saves were through before QEMU was killed");
}

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
        hardway(dir, &["snapshot", "delete", "cold-1"]),
        (0, "deleted cold-1\n".to_owned(), String::new())
    );
    assert_eq!(
        hardway(dir, &["snapshot", "list"]).1.lines().count(),
        2,
        "the other stays"
    );
}
