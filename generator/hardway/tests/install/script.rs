//! How install.exp ends when the machine does not do what it should. No medium is
//! needed: this QEMU has nothing to boot, or does not start.

use std::fs;

use crate::support::{Script, alive, signal, until};

/// Stopped before its first instruction: it never answers.
const SILENT: [&str; 8] = [
    "qemu-system-x86_64",
    "-nodefaults",
    "-display",
    "none",
    "-S",
    "-serial",
    "stdio",
    "-no-user-config",
];

#[test]
fn a_guest_that_never_answers() {
    let script = Script::start("0.1", &SILENT);
    let qemu = script.qemu();
    let (ended, folder) = script.end();
    assert_eq!(ended.code, Some(10), "{}", ended.said);
    assert!(
        ended.said.starts_with(
            "stage boot: waited 3 s for the kernel's first line\nthe last 20 lines of "
        ),
        "{}",
        ended.said
    );
    assert!(!alive(qemu), "QEMU outlives the script");
    let log = fs::read_to_string(folder.path().join("install.log")).unwrap();
    assert!(log.contains("== stage: boot") && log.contains("qemu-system-x86_64 -nodefaults"));
}

#[test]
fn a_qemu_that_dies_at_once_is_shown_with_its_own_words() {
    let (ended, _) = Script::start("1", &["qemu-system-x86_64", "-machine", "toaster"]).end();
    assert_eq!(ended.code, Some(30), "{}", ended.said);
    assert!(
        ended.said.contains("QEMU ended (exit status 1)"),
        "{}",
        ended.said
    );
    assert!(
        ended.said.contains("unsupported machine type"),
        "{}",
        ended.said
    );
}

#[test]
fn a_qemu_that_is_not_there() {
    let (ended, _) = Script::start("1", &["/nonexistent/qemu"]).end();
    assert_eq!(ended.code, Some(30), "{}", ended.said);
    assert!(ended.said.contains("/nonexistent/qemu"), "{}", ended.said);
}

#[test]
fn an_interruption_stops_the_machine() {
    for name in ["INT", "TERM", "HUP"] {
        let script = Script::start("10", &SILENT);
        let qemu = script.qemu();
        signal(name, script.pid());
        let (ended, _) = script.end();
        assert_eq!(ended.code, Some(130), "{}", ended.said);
        assert!(!alive(qemu), "QEMU outlives the script");
    }
}

#[test]
fn the_end_of_its_input_stops_the_machine() {
    let mut script = Script::start("10", &SILENT);
    let qemu = script.qemu();
    script.close_input();
    let (ended, _) = script.end();
    assert_eq!(ended.code, Some(130), "{}", ended.said);
    assert!(!alive(qemu), "QEMU outlives the script");
}

#[test]
fn kill_9_of_the_script_leaves_no_machine() {
    let script = Script::start("10", &SILENT);
    let qemu = script.qemu();
    signal("KILL", script.pid());
    let _ = script.end();
    until("QEMU ends with its terminal", || {
        (!alive(qemu)).then_some(())
    });
}

#[test]
fn input_that_is_not_two_blocks_of_base64() {
    let (ended, _) = Script::start_for_base("0.1", &SILENT).end();
    assert_eq!(ended.code, Some(10), "one block is enough for a base");
    for (input, complaint) in [
        (
            "not base64!\n\n",
            "the flake on standard input is not base64",
        ),
        ("\naGk=\n\n", "standard input lacks the flake"),
        ("aGk=\n\n\n", "standard input lacks the keys"),
    ] {
        let (ended, folder) = Script::start_with("1", &SILENT, input).end();
        assert_eq!(ended.code, Some(2), "{}", ended.said);
        assert!(ended.said.contains(complaint), "{}", ended.said);
        assert!(!folder.path().join("qemu.pid").exists());
    }
}
