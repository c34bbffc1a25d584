//! `hardway console` under a terminal of expect's, at a real machine's firmware.

use std::fs;
use std::path::Path;
use std::process::Command;

use qemu::Arch;

use super::Bench;

#[test]
fn a_terminal_is_the_machines_console_and_then_itself_again() {
    let bench = Bench::new();
    let host = bench.ready(Arch::X86_64, "hub");
    let hardway = env!("CARGO_BIN_EXE_hardway");
    let console = || {
        let mut command = Command::new(hardway);
        command.arg("--dir").arg(bench.folder.path());
        let output = command.args(["console", "hub"]).output().unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let told = "error: cannot attach to hub's console\ncaused by: hub is not installed\n\
                hint: install and start it: hardway up\n";
    assert_eq!(console(), (Some(1), told.to_owned()));

    let files = bench.paths().node(&bench.node("hub").name);
    fs::write(files.installed(), "{}").unwrap();
    let running = bench.start(&host, "hub").unwrap();
    let (code, told) = console();
    assert_eq!(code, Some(1));
    assert!(
        told.starts_with("error: hub's console needs a terminal to be typed at\nhint: "),
        "{told}"
    );

    bench.console("hub", "Shell>");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/machine/console.exp");
    let output = Command::new("expect")
        .arg(script)
        .arg(hardway)
        .arg(bench.folder.path())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stderr),
        String::from_utf8_lossy(&output.stdout)
    );
    // Whoever is attached: the log has it.
    let log = String::from_utf8_lossy(&fs::read(files.serial_log()).unwrap()).into_owned();
    assert!(log.contains("typed"), "{log}");
    running.kill().unwrap();
    let told = "error: cannot attach to hub's console\ncaused by: hub's machine does not run\n\
                hint: start it: hardway up\n";
    assert_eq!(console(), (Some(1), told.to_owned()));
}
