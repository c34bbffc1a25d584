//! Snapshots of two machines as one, under a real QEMU.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use common::report::render;
use hardway::ops::generate;
use hardway::ops::snapshot::{self, Kind, Name, Record, STALL};
use hardway::ops::would::Would;
use hardway::runtime;
use model::plan;
use qemu::argv::{self, Sockets};
use qemu::images::{Found, Images};
use qemu::{Arch, Host, process};
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

pub(super) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(super) fn save(bench: &Bench, text: &str) -> anyhow::Result<snapshot::Saved> {
    snapshot::save(
        &bench.paths(),
        &bench.topology,
        &name(text),
        None,
        false,
        STALL,
    )
}

pub(super) fn restore(bench: &Bench, text: &str) -> anyhow::Result<snapshot::Restored> {
    snapshot::restore(
        &bench.paths(),
        &bench.topology,
        &name(text),
        false,
        false,
        STALL,
    )
}

pub(super) fn status(bench: &Bench, node: &str) -> Value {
    let running = process::find(&bench.paths(), &bench.node(node).name).unwrap();
    let answer = running.qmp().unwrap().execute("query-status", &json!({}));
    answer.unwrap()["status"].clone()
}

pub(super) fn not_cancelled() -> Arc<AtomicBool> {
    Arc::default()
}

pub(super) fn found(bench: &Bench, host: &Host, node: &str, tag: &str) -> Found {
    let (paths, node) = (bench.paths(), &bench.node(node).name);
    let mut images = Images::of(&host.qemu, &paths, node, STALL, false, not_cancelled()).unwrap();
    images.find(tag).unwrap()
}

fn power_cut(bench: &Bench, node: &str) {
    let running = process::find(&bench.paths(), &bench.node(node).name).unwrap();
    running.kill().unwrap();
}

/// Types a line into the firmware's shell on the hub, and waits until `answer` is said.
fn shell(bench: &Bench, line: &str, answer: &str) {
    let socket = Sockets::of(&bench.paths(), &bench.node("hub").name).console;
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
    a_look_changes_nothing(&bench, &host);
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

    // A look at guests that stand still does not let them go on.
    let hub = process::find(&bench.paths(), &bench.node("hub").name).unwrap();
    hub.qmp().unwrap().execute("stop", &json!({})).unwrap();
    let would = snapshot::look_delete(&bench.paths(), &bench.topology, &name("one")).unwrap();
    assert_eq!(
        whats(&bench, &would),
        [
            "remove [state]/snapshots/one.json",
            "remove [state]/snapshots/one.pki",
            "remove hardway-one from east's disk",
            "remove hardway-one from east's UEFI variables",
            "remove hardway-one from hub (QMP: snapshot-delete)",
        ]
    );
    assert_eq!(status(&bench, "hub"), "paused");
    snapshot::delete(&bench.paths(), &bench.topology, &name("one"), STALL).unwrap();
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
    // An `apply` since: what hub runs comes back with its disk.
    let record = bench.paths().node(&bench.node("hub").name).installed();
    let then = fs::read_to_string(&record).unwrap();
    let applied = then.replace(r#""flakeSha256":"""#, r#""flakeSha256":"later""#);
    assert_ne!(applied, then);
    fs::write(&record, applied).unwrap();
    let restored = restore(&bench, "cold").unwrap();
    assert_eq!(restored.kind, Kind::Cold);
    assert_eq!(
        restored.gone(),
        "back to what they ran then: hub; to what is generated now: hardway apply\n"
    );
    let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let now = fs::read_to_string(&record).unwrap();
    assert_eq!(json(&now)["flakeSha256"], json(&then)["flakeSha256"]);
    assert_eq!(restore(&bench, "cold").unwrap().gone(), "");
    assert_eq!(found(&bench, &host, "hub", "hardway-cold"), Found::Disks);
}

fn whats(bench: &Bench, would: &Would) -> Vec<String> {
    let state = bench.paths().state();
    let steps = would.steps.iter();
    steps
        .map(|step| step.what.replace(state.to_str().unwrap(), "[state]"))
        .collect()
}

/// One machine runs and the other is off: what would be started is what a start runs.
fn a_look_changes_nothing(bench: &Bench, host: &Host) {
    let (paths, topology) = (bench.paths(), &bench.topology);
    let would = snapshot::look_restore(&paths, topology, &name("one"), true, false).unwrap();
    assert_eq!(
        whats(bench, &would),
        [
            "pause hub",
            "keep what east and hub are now as hardway~before-restore, until all of them are back",
            "start east, paused, to hold what is loaded into it",
            "load hardway-one into east, memory included (QMP: snapshot-load)",
            "load hardway-one into hub, memory included (QMP: snapshot-load)",
            "put what [state]/snapshots/one.pki keeps in the place of [state]/pki and [state]/kubeconfig",
            "let east and hub go on, and set their clocks",
        ]
    );
    let boot = argv::boot(
        host,
        &paths,
        &runtime::machine(topology, bench.node("east")).unwrap(),
        None,
    )
    .unwrap();
    let words = boot.iter().map(|word| word.to_str().unwrap());
    assert!(words.eq(would.steps[2].argv.iter().map(String::as_str)));
    assert_eq!(status(bench, "hub"), "running");
    assert_eq!(process::find(&paths, &bench.node("east").name), None);
    let before = found(bench, host, "hub", "hardway~before-restore");
    assert_eq!(before, Found::Nowhere);

    let refused = snapshot::look_save(&paths, topology, &name("one"), false);
    assert!(render(&refused.unwrap_err()).starts_with("error: there is a snapshot one already\n"));
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
            snapshot::delete(&paths, &bench.topology, &name("one"), STALL).unwrap();
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
