//! What a restore that failed or was killed leaves: it is undone before anything else, and
//! no machine goes on before it is.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use common::report::render;
use hardway::ops::generate;
use hardway::ops::{down, snapshot, up};
use model::plan;
use qemu::argv::Sockets;
use qemu::images::{Found, Images};
use qemu::{Arch, Host, process};
use serde_json::{Value, json};

use super::slow::{hardway, signal};
use super::snapshot::{NODES, cluster, found, name, not_cancelled, restore, save, status};
use super::{Bench, base};

const BEFORE: &str = "hardway~before-restore";

/// Both machines count as installed, and are off.
fn off() -> (Bench, Host) {
    let bench = Bench::new();
    generate::write(
        &bench.topology,
        &plan::plan(&bench.topology),
        &bench.paths(),
    )
    .unwrap();
    let host = bench.ready(Arch::X86_64, "hub");
    base::on_one_base(&bench, &host);
    (bench, host)
}

fn note_file(bench: &Bench) -> PathBuf {
    bench.paths().snapshots().join(format!("{BEFORE}.undo"))
}

/// The note of `hardway restore one`.
fn note(bench: &Bench, rest: &Value) {
    let mut note = json!({
        "verb": "restore one", "tag": BEFORE, "name": null, "paused": true,
        "back": [], "off": [],
    });
    for (key, value) in rest.as_object().unwrap() {
        note[key] = value.clone();
    }
    fs::create_dir_all(bench.paths().snapshots()).unwrap();
    fs::write(note_file(bench), note.to_string()).unwrap();
}

fn noted(bench: &Bench) -> Value {
    serde_json::from_str(&fs::read_to_string(note_file(bench)).unwrap()).unwrap()
}

fn qemu_img(bench: &Bench, action: &str, node: &str, variables: bool) {
    let files = bench.paths().node(&bench.node(node).name);
    let image = match variables {
        true => files.firmware_variables(),
        false => files.disk(),
    };
    let done = Command::new("qemu-img")
        .args(["snapshot", action, BEFORE])
        .arg(image)
        .status()
        .unwrap();
    assert!(done.success());
}

/// What a command says that must not go on.
fn refused(bench: &Bench, error: &anyhow::Error) {
    let told = render(error);
    assert!(
        told.starts_with(
            "error: cannot undo what `hardway restore one` left\n\
             caused by: cannot undo it on hub: "
        ),
        "{told}"
    );
    let hint = format!(
        "hint: remove the cause, then: hardway snapshot list; where QEMU is the cause: hardway \
         down && hardway snapshot list; to keep the machines as they are now: rm {}\n",
        note_file(bench).display()
    );
    assert!(told.ends_with(&hint), "{told}");
}

#[test]
fn an_undo_that_fails_stops_every_command_but_down() {
    let (bench, host) = off();
    for node in NODES {
        qemu_img(&bench, "-c", node, false);
    }
    // Hub lacks it in one image, so that it can't go back.
    qemu_img(&bench, "-c", "east", true);
    note(&bench, &json!({ "back": NODES }));

    refused(&bench, &save(&bench, "two").unwrap_err());
    // East is back, once and for all: a later command does not take it back again.
    assert_eq!(noted(&bench)["back"], json!(["hub"]));
    assert_eq!(found(&bench, &host, "east", BEFORE), Found::Nowhere);
    refused(&bench, &restore(&bench, "one").unwrap_err());
    let (paths, topology) = (bench.paths(), &bench.topology);
    refused(
        &bench,
        &up::up(&paths, topology, &up::Wishes::default()).unwrap_err(),
    );
    for node in NODES {
        assert_eq!(process::find(&paths, &bench.node(node).name), None);
    }
    assert_eq!(found(&bench, &host, "hub", BEFORE), Found::Half);
    assert!(down::down(&paths).unwrap().is_empty());
    let (mut list, [stdout, stderr]) = hardway(&bench, &["snapshot", "list"]);
    assert!(list.wait().unwrap().success());
    let told = fs::read_to_string(stderr).unwrap();
    assert!(
        told.contains("warning: cannot undo what `hardway restore one` left\n"),
        "{told}"
    );
    let listed = fs::read_to_string(stdout).unwrap();
    assert!(listed.starts_with("no snapshot yet"), "{listed}");

    qemu_img(&bench, "-c", "hub", true);
    save(&bench, "two").unwrap();
    assert!(!note_file(&bench).exists());
    for node in NODES {
        assert_eq!(found(&bench, &host, node, BEFORE), Found::Nowhere);
    }

    fs::write(note_file(&bench), "{").unwrap();
    let told = render(&save(&bench, "three").unwrap_err());
    let file = note_file(&bench);
    let first = format!("error: cannot read {}\ncaused by: ", file.display());
    assert!(told.starts_with(&first), "{told}");
    let last = format!("rm {}\n", file.display());
    assert!(told.ends_with(&last), "{told}");
}

/// As after a load that failed: hub stands still on half of a memory.
#[test]
fn a_machine_that_must_go_back_does_not_go_on() {
    let bench = Bench::new();
    let host = cluster(&bench);
    let (paths, topology) = (bench.paths(), &bench.topology);
    for node in NODES {
        let (paths, node) = (&paths, &bench.node(node).name);
        let stall = snapshot::STALL;
        let mut images =
            Images::of(&host.qemu, paths, node, stall, false, not_cancelled()).unwrap();
        images.pause().unwrap();
        images.save(BEFORE, &|_| ()).unwrap();
    }
    let on_hub = |command: &str| {
        let running = process::find(&paths, &bench.node("hub").name).unwrap();
        let variables = json!({ "device": "variables", "name": BEFORE });
        running.qmp().unwrap().execute(command, &variables).unwrap();
    };
    on_hub("blockdev-snapshot-delete-internal-sync");
    note(&bench, &json!({ "back": NODES }));

    for _ in 0..2 {
        refused(
            &bench,
            &up::up(&paths, topology, &up::Wishes::default()).unwrap_err(),
        );
        assert_eq!(status(&bench, "hub"), "paused");
        assert_eq!(status(&bench, "east"), "running");
        assert_eq!(noted(&bench)["back"], json!(["hub"]));
    }

    on_hub("blockdev-snapshot-internal-sync");
    let (mut list, [_, stderr]) = hardway(&bench, &["snapshot", "list"]);
    assert!(list.wait().unwrap().success());
    let told = fs::read_to_string(stderr).unwrap();
    // These guests have no agent: its clock would be set.
    assert!(
        told.starts_with(
            "undoing what `hardway restore one` left\n\
             hub is as it was before the restore\n\
             warning: cannot set hub's clock: "
        ),
        "{told}"
    );
    assert!(!note_file(&bench).exists());
    for node in NODES {
        assert_eq!(status(&bench, node), "running");
        assert_eq!(found(&bench, &host, node, BEFORE), Found::Nowhere);
    }
}

/// Killed once every machine was restored, `restore --with-pki` comes to its end.
#[test]
fn a_restore_that_was_killed_late_still_brings_the_keys_back() {
    let (bench, host) = off();
    save(&bench, "kept").unwrap();
    let (paths, key) = (bench.paths(), bench.paths().pki().join("admin-key.pem"));
    let then = fs::read(&key).unwrap();
    let record = paths.node(&bench.node("hub").name).installed();
    for changed in ["generate", "list"] {
        fs::write(&key, "another key").unwrap();
        let text = fs::read_to_string(&record).unwrap();
        let mut applied: Value = serde_json::from_str(&text).unwrap();
        applied["flakeSha256"] = json!("later");
        fs::write(&record, applied.to_string()).unwrap();
        for node in NODES {
            qemu_img(&bench, "-c", node, false);
            qemu_img(&bench, "-c", node, true);
        }
        note(
            &bench,
            &json!({ "forward": { "name": "kept", "withPki": true } }),
        );

        match changed {
            "generate" => snapshot::finish_restore(&paths).unwrap(),
            _ => snapshot::finish_undo(&paths).unwrap(),
        }
        assert!(fs::read(&key).unwrap() == then, "the key is another one");
        let text = fs::read_to_string(&record).unwrap();
        let now: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(now["flakeSha256"], "");
        assert!(!note_file(&bench).exists());
        for node in NODES {
            assert_eq!(found(&bench, &host, node, BEFORE), Found::Nowhere);
        }
    }
}

/// A guest that runs always moves its images, so that nothing else ends such a wait.
#[test]
fn a_qemu_that_serves_another_program_or_has_no_sockets() {
    let (bench, host) = off();
    bench.start(&host, "hub").unwrap();
    let (paths, topology) = (bench.paths(), &bench.topology);
    let socket = Sockets::of(&paths, &bench.node("hub").name).qmp;
    let holder = UnixStream::connect(&socket).unwrap();
    let mut greeting = String::new();
    BufReader::new(&holder).read_line(&mut greeting).unwrap();
    assert!(greeting.contains("QMP"), "{greeting}");

    let limit = Duration::from_secs(3);
    let started = Instant::now();
    let saved = snapshot::save(&paths, topology, &name("one"), None, false, limit);
    assert_eq!(
        render(&saved.unwrap_err()),
        format!(
            "error: cannot reach hub's images\n\
             caused by: QEMU does not answer on {}\n\
             caused by: no greeting within 3 s: another program holds the connection, and QEMU \
             serves one at a time\n\
             hint: end that program, e.g. a hardway that was stopped with Ctrl-Z: fg\n",
            socket.display()
        )
    );
    assert!(started.elapsed() >= limit);

    let (mut saving, [_, stderr]) = hardway(&bench, &["snapshot", "save", "one"]);
    // It has taken over Ctrl-C by then; its own limit is a minute.
    sleep(Duration::from_secs(5));
    assert!(saving.try_wait().unwrap().is_none());
    signal(saving.id(), "INT");
    let code = saving.wait().unwrap().code();
    let told = fs::read_to_string(stderr).unwrap();
    assert_eq!(code, Some(130), "{told}");
    assert!(told.contains("caused by: interrupted\n"), "{told}");

    drop(holder);
    fs::remove_file(&socket).unwrap();
    assert_eq!(
        render(&save(&bench, "one").unwrap_err()),
        format!(
            "error: cannot reach hub's images\n\
             caused by: its sockets in {} are gone\n\
             hint: hardway up\n",
            paths.runtime().display()
        )
    );
    assert!(!paths.snapshots().exists() || fs::read_dir(paths.snapshots()).unwrap().count() == 0);
}
