//! What is left to ask a machine by when the folder with its sockets was cleaned away.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use qemu::Arch;
use qemu::process::Asked;

use super::{Bench, FIRMWARE};

/// The guest has no system that hears the button, so QEMU's own word on it counts.
#[test]
fn a_machine_without_sockets_hears_its_power_button() {
    let bench = Bench::new();
    let host = bench.ready(Arch::X86_64, "east");
    let running = bench.start(&host, "east").unwrap();
    assert!(running.lost_sockets().is_none());

    // This connection stays when the socket's file goes, and QEMU tells its events there.
    let runtime = bench.paths().runtime();
    let events = UnixStream::connect(runtime.join("east.qmp")).unwrap();
    events.set_read_timeout(Some(FIRMWARE)).unwrap();
    writeln!(&events, "{{\"execute\": \"qmp_capabilities\"}}").unwrap();
    let mut lines = BufReader::new(&events).lines();
    let answered = lines.by_ref().map(Result::unwrap);
    assert!(answered.take(2).any(|line| line.contains("return")));
    fs::remove_dir_all(&runtime).unwrap();
    let gone = format!("its sockets in {} are gone", runtime.display());
    assert_eq!(running.lost_sockets().unwrap().to_string(), gone);

    for _ in 0..2 {
        let shutdown = running.stop(Duration::from_secs(1));
        assert_eq!(
            (shutdown.ended, shutdown.asked),
            (false, Asked::PowerButton)
        );
        assert_eq!(shutdown.reason.unwrap().to_string(), gone);
        let told = lines.next().unwrap().unwrap();
        assert!(told.contains("\"event\": \"POWERDOWN\""), "{told}");
    }

    // As with a machine of an earlier hardway, or with a QEMU that ends: there is nothing left.
    let files = bench.paths().node(&bench.node("east").name);
    fs::remove_file(files.fifo_in()).unwrap();
    let shutdown = running.stop(Duration::from_secs(1));
    assert_eq!((shutdown.ended, shutdown.asked), (false, Asked::Not));
    let reason = format!("{:#}", shutdown.reason.unwrap());
    assert!(
        reason.starts_with(&format!("{gone}, and it takes no command from ")),
        "{reason}"
    );
    running.kill().unwrap();
}
