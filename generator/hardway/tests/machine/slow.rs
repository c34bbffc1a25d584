//! Snapshots of a machine whose disk is slow, or stands still, under a real QEMU.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::{Duration, Instant};

use common::report::render;
use hardway::ops::snapshot::{self, Record, STALL};
use qemu::Host;
use qemu::images::Found;
use qemu::process::{self, Running};

use super::Bench;
use super::snapshot::{NODES, cluster, found, name, restore, save, status};

/// Where the guest on the slow disk has something in its memory.
const ADDRESS: u64 = 32 << 20;

/// Serves a disk, slowly: QEMU lifts the limits of its own disks while it saves or loads.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Both machines run; east has `filled` MiB in its memory, and a disk that takes and gives
/// 20 MiB/s.
fn with_a_slow_disk(filled: u32) -> (Bench, Host, Server) {
    let bench = Bench::new();
    let host = cluster(&bench);
    let filling = bench.folder.path().join("filling");
    let mut file = File::create(&filling).unwrap();
    for _ in 0..filled {
        file.write_all(&[0x5a; 1 << 20]).unwrap();
    }

    let (paths, node) = (bench.paths(), &bench.node("east").name);
    process::find(&paths, node).unwrap().kill().unwrap();
    let (disk, script) = (paths.node(node).disk(), paths.node(node).argv());
    // What is served does not grow.
    let opened = File::options().write(true).open(&disk).unwrap();
    opened.set_len(4 << 30).unwrap();
    let socket = bench.folder.path().join("nbd");
    let server = Server(
        Command::new("qemu-nbd")
            .args(["--persistent", "--discard=unmap", "--object"])
            .arg(format!("throttle-group,id=slow,x-bps-total={}", 20 << 20))
            .arg("--socket")
            .arg(&socket)
            .arg("--image-opts")
            .arg(format!(
                "driver=throttle,throttle-group=slow,file.driver=file,file.filename={}",
                disk.display()
            ))
            .spawn()
            .unwrap(),
    );
    wait_for("the server of the disk", || socket.exists());

    let fast = fs::read_to_string(&script).unwrap();
    let local = format!("file.driver=file,file.filename={}", disk.display());
    // Seen from a socket, the base is beside nothing.
    let served = format!(
        "file.driver=nbd,file.server.type=unix,file.server.path={},\
         backing.driver=qcow2,backing.file.driver=file,backing.file.filename={}",
        socket.display(),
        paths.base("words").display()
    );
    let slow = fast.replace(&local, &served);
    assert_ne!(slow, fast);
    let filled = format!(
        " -device loader,file={},addr={ADDRESS:#x},force-raw=on\n",
        filling.display()
    );
    fs::write(&script, slow.trim_end().to_owned() + &filled).unwrap();
    let started = Command::new("sh").arg(&script).status().unwrap();
    assert!(started.success());
    (bench, host, server)
}

fn wait_for(what: &str, mut there: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !there() {
        assert!(Instant::now() < deadline, "waited for {what}");
        sleep(Duration::from_millis(50));
    }
}

fn east(bench: &Bench) -> Running {
    process::find(&bench.paths(), &bench.node("east").name).unwrap()
}

pub(super) fn signal(pid: impl std::fmt::Display, name: &str) {
    let sent = Command::new("kill")
        .args([&format!("-{name}"), &pid.to_string()])
        .status();
    assert!(sent.unwrap().success());
}

/// Waits until east's memory is being written.
fn wait_for_a_save(bench: &Bench, before: u64) {
    wait_for("the save to begin", || blocks(bench) > before + (16 << 11));
}

/// Of 512 bytes, of east's disk.
fn blocks(bench: &Bench) -> u64 {
    let disk = bench.paths().node(&bench.node("east").name).disk();
    disk.metadata().unwrap().blocks()
}

/// All goes on, and nothing is left of the snapshot `tag` nor of its undo.
fn nothing_is_left(bench: &Bench, host: &Host, tag: &str) {
    for node in NODES {
        assert_eq!(status(bench, node), "running");
        assert_eq!(found(bench, host, node, tag), Found::Nowhere);
    }
    let left = fs::read_dir(bench.paths().snapshots()).unwrap();
    let left = left.map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = left
        .filter(|name| !name.to_str().unwrap().starts_with("kept."))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

/// `hardway` on the bench's cluster, with what it says in two files.
pub(super) fn hardway(bench: &Bench, arguments: &[&str]) -> (Child, [PathBuf; 2]) {
    let said = ["stdout", "stderr"].map(|name| bench.folder.path().join(name));
    let [stdout, stderr] = said.each_ref().map(|file| File::create(file).unwrap());
    let child = Command::new(env!("CARGO_BIN_EXE_hardway"))
        .arg("--dir")
        .arg(bench.folder.path())
        .args(arguments)
        .stdout(stdout)
        .stderr(stderr)
        .spawn()
        .unwrap();
    (child, said)
}

/// QEMU answers nothing while it writes or reads a memory.
#[test]
fn a_slow_disk_is_waited_for() {
    let (bench, host, _server) = with_a_slow_disk(320);
    let saved = save(&bench, "one").unwrap();
    // Else it shows nothing.
    assert!(saved.paused.unwrap() > Duration::from_secs(12));
    for node in NODES {
        assert_eq!(status(&bench, node), "running");
        assert_eq!(found(&bench, &host, node, "hardway-one"), Found::Memory);
    }
    let restored = restore(&bench, "one").unwrap();
    assert!(restored.took > Duration::from_secs(24));
    snapshot::delete(&bench.paths(), &bench.topology, &name("one"), STALL).unwrap();
    for node in NODES {
        assert_eq!(status(&bench, node), "running");
        assert_eq!(found(&bench, &host, node, "hardway-one"), Found::Nowhere);
    }
}

/// Stopped, QEMU moves nothing at all; later it goes on with what it was at.
#[test]
fn a_save_that_stands_still_is_undone_by_a_later_command() {
    let (bench, host, _server) = with_a_slow_disk(160);
    let (paths, east, before) = (bench.paths(), east(&bench), blocks(&bench));
    let stall = Duration::from_secs(15);
    let saved = std::thread::scope(|scope| {
        let saving = scope
            .spawn(|| snapshot::save(&paths, &bench.topology, &name("one"), None, false, stall));
        wait_for_a_save(&bench, before);
        signal(east.pid(), "STOP");
        saving.join().unwrap()
    });
    let told = render(&saved.unwrap_err());
    assert!(
        told.starts_with(
            "error: cannot save east\n\
             caused by: QEMU's snapshot-save failed\n\
             caused by: waited for QEMU's snapshot-save: for 15 s nothing has moved (no byte \
             read or written, no processor time used)\n\
             caused by: "
        ),
        "{told}"
    );
    assert!(told.ends_with("qemu.log is empty\n"), "{told}");
    assert_eq!(status(&bench, "hub"), "running");
    assert_eq!(found(&bench, &host, "hub", "hardway-one"), Found::Nowhere);
    assert!(Record::all(&paths).unwrap().is_empty());

    signal(east.pid(), "CONT");
    let (mut list, [stdout, stderr]) = hardway(&bench, &["snapshot", "list"]);
    assert!(list.wait().unwrap().success());
    assert_eq!(
        fs::read_to_string(stderr).unwrap(),
        "undoing what `hardway snapshot save one` left\n"
    );
    let listed = fs::read_to_string(stdout).unwrap();
    assert!(listed.starts_with("no snapshot yet"), "{listed}");
    nothing_is_left(&bench, &host, "hardway-one");
}

#[test]
fn ctrl_c_and_a_kill_during_a_save_leave_nothing() {
    let (bench, host, _server) = with_a_slow_disk(160);
    let before = blocks(&bench);
    let (mut save, [_, stderr]) = hardway(&bench, &["snapshot", "save", "one"]);
    wait_for_a_save(&bench, before);
    signal(save.id(), "INT");
    let told = || fs::read_to_string(&stderr).unwrap();
    assert_eq!(save.wait().unwrap().code(), Some(130), "{}", told());
    for line in [
        "Ctrl-C: QEMU cannot stop in the middle of this; waiting for it\n",
        "one was not saved: no machine keeps any of it\nerror: interrupted\n",
    ] {
        assert!(told().contains(line), "{}", told());
    }
    nothing_is_left(&bench, &host, "hardway-one");

    let before = blocks(&bench);
    let (mut save, _) = hardway(&bench, &["snapshot", "save", "one"]);
    wait_for_a_save(&bench, before);
    save.kill().unwrap();
    save.wait().unwrap();
    let (mut list, _) = hardway(&bench, &["snapshot", "list"]);
    assert!(list.wait().unwrap().success(), "{}", told());
    assert_eq!(told(), "undoing what `hardway snapshot save one` left\n");
    nothing_is_left(&bench, &host, "hardway-one");
}

/// Killed while it loads, the machines are what they were before.
#[test]
fn a_restore_that_is_killed_goes_back() {
    let (bench, host, _server) = with_a_slow_disk(160);
    let (mut save, [_, stderr]) = hardway(&bench, &["snapshot", "save", "kept"]);
    let saved = save.wait().unwrap();
    assert!(saved.success(), "{}", fs::read_to_string(stderr).unwrap());
    let arguments = ["restore", "kept", "--no-wait", "--yes"];
    let (mut restore, [_, stderr]) = hardway(&bench, &arguments);
    let told = || fs::read_to_string(&stderr).unwrap();
    wait_for("the load to begin", || {
        assert!(restore.try_wait().unwrap().is_none(), "{}", told());
        told().contains("east:    keep ")
    });
    sleep(Duration::from_secs(1));
    restore.kill().unwrap();
    restore.wait().unwrap();
    let (mut list, _) = hardway(&bench, &["snapshot", "list"]);
    assert!(list.wait().unwrap().success(), "{}", told());
    for node in NODES {
        let line = format!("{node} is as it was before the restore\n");
        assert!(told().contains(&line), "{}", told());
        assert_eq!(found(&bench, &host, node, "hardway-kept"), Found::Memory);
    }
    nothing_is_left(&bench, &host, "hardway~before-restore");
}
