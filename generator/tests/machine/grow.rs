//! A node that comes to a segment that runs, and one that goes.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use hardway::machine::{Arch, process, segment};
use hardway::topology::{MacAddress, Machine, NodeName};

use super::Bench;

/// The hub is not started again, and what the new one says reaches those that were there.
#[test]
fn a_new_machine_joins_the_segment_and_leaves_it() {
    let mut bench = Bench::new();
    let (host, paths) = (bench.ready(Arch::X86_64, "hub"), bench.paths());
    let hub = bench.start(&host, "hub").unwrap();

    let mut west = bench.node("east").clone();
    west.name = NodeName::parse("west").unwrap();
    if let Machine::Guest(guest) = &mut west.machine {
        guest.segment_mac = MacAddress([0x52, 0x54, 0, 0, 0, 7]);
    }
    bench.topology.nodes.push(west.clone());
    bench.ready(Arch::X86_64, "west");

    let east = UnixDatagram::bind(paths.runtime().join("east.seg")).unwrap();
    east.set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let end = paths.runtime().join("west.hub");
    let heard = |word: u8| {
        let mut frame = [word; 60];
        frame[..6].fill(0xff); // to everyone
        let sender = UnixDatagram::unbound().unwrap();
        sender.send_to(&frame, &end).unwrap();
        let mut found = [0; 2048];
        loop {
            // The machines' firmware may say something, too.
            let length = east.recv(&mut found).unwrap();
            if found[..length] == frame {
                break;
            }
        }
    };

    let start = || {
        process::join_segment(&host, &paths, &bench.topology, &west).unwrap();
        bench.start(&host, "west").unwrap()
    };
    let running = start();
    heard(0x11);
    let saved = fs::read_to_string(paths.node(&bench.node("hub").name).argv()).unwrap();
    assert!(saved.contains("west.seg"), "{saved}");
    let reason = "\n# The hub's port `drain` leads nowhere, of which QEMU warns";
    assert!(saved.contains(reason), "{saved}");

    // It dies and comes back.
    running.kill().unwrap();
    start();
    heard(0x22);

    segment::part(&paths, &bench.topology, &west.name).unwrap();
    let sender = UnixDatagram::unbound().unwrap();
    assert!(sender.send_to(&[0; 60], &end).is_err(), "the link is there");
    // Twice is as good as once, as after a kill.
    segment::part(&paths, &bench.topology, &west.name).unwrap();
    assert_eq!(process::find(&paths, &bench.node("hub").name), Some(hub));
}
