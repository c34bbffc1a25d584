//! A node that comes to a segment that runs, and one that goes: over Unix sockets, and over
//! UDP as on macOS.

use std::fs;
use std::io;
use std::net::UdpSocket;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::time::Duration;

use common::report::render;
use hardway::runtime;
use model::topology::{MacAddress, Machine, Node, NodeName, SegmentPorts};
use qemu::segment::Transport;
use qemu::{Arch, process};

use super::{Bench, free_ssh_port};

/// Receives a frame into the buffer: its length.
type Receive = Box<dyn Fn(&mut [u8]) -> io::Result<usize>>;

/// Where an end of a link listens.
enum End {
    File(PathBuf),
    Port(u16),
}

impl End {
    /// Those of the link between the hub and `node`: the hub's, the node's.
    fn both(bench: &Bench, transport: Transport, node: &Node) -> [Self; 2] {
        let runtime = bench.paths().runtime();
        match transport {
            Transport::Unix => {
                ["hub", "seg"].map(|kind| End::File(runtime.join(format!("{}.{kind}", node.name))))
            }
            Transport::Udp => {
                let ports = SegmentPorts::of(node.guest().unwrap().ssh_port).unwrap();
                [End::Port(ports.hub), End::Port(ports.node)]
            }
        }
    }

    /// Sends a frame there.
    fn send(&self, frame: &[u8]) {
        match self {
            End::File(path) => UnixDatagram::unbound().unwrap().send_to(frame, path),
            End::Port(port) => {
                let sender = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
                sender.send_to(frame, ("127.0.0.1", *port))
            }
        }
        .unwrap();
    }

    /// Listens there, in the place of a QEMU: what receives a frame.
    fn listen(&self) -> Receive {
        let limit = Some(Duration::from_secs(60));
        match self {
            End::File(path) => {
                let socket = UnixDatagram::bind(path).unwrap();
                socket.set_read_timeout(limit).unwrap();
                Box::new(move |frame| socket.recv(frame))
            }
            End::Port(port) => {
                let socket = UdpSocket::bind(("127.0.0.1", *port)).unwrap();
                socket.set_read_timeout(limit).unwrap();
                Box::new(move |frame| socket.recv(frame))
            }
        }
    }

    /// Whether somebody listens there.
    fn is_open(&self) -> bool {
        match self {
            End::File(path) => {
                let sender = UnixDatagram::unbound().unwrap();
                sender.send_to(&[0; 60], path).is_ok()
            }
            End::Port(port) => UdpSocket::bind(("127.0.0.1", *port)).is_err(),
        }
    }
}

#[test]
fn a_new_machine_joins_the_segment_and_leaves_it() {
    joins_and_leaves(Transport::Unix);
}

#[test]
fn a_new_machine_joins_a_segment_of_udp_and_leaves_it() {
    joins_and_leaves(Transport::Udp);
}

/// The hub is not started again, and what the new one says reaches those that were there.
fn joins_and_leaves(transport: Transport) {
    let mut bench = Bench::new();
    let (mut host, paths) = (bench.ready(Arch::X86_64, "hub"), bench.paths());
    host.transport = transport;
    let hub = bench.start(&host, "hub").unwrap();

    let mut west = bench.node("east").clone();
    west.name = NodeName::parse("west").unwrap();
    if let Machine::Guest(guest) = &mut west.machine {
        guest.segment_mac = MacAddress([0x52, 0x54, 0, 0, 0, 7]);
        guest.ssh_port = free_ssh_port();
    }
    bench.topology.nodes.push(west.clone());
    bench.ready(Arch::X86_64, "west");

    let [_, east] = End::both(&bench, transport, bench.node("east"));
    let receive = east.listen();
    let [end, west_end] = End::both(&bench, transport, &west);
    let heard = |word: u8| {
        let mut frame = [word; 60];
        frame[..6].fill(0xff); // to everyone
        end.send(&frame);
        let mut found = [0; 2048];
        loop {
            // The machines' firmware may say something, too.
            let length = receive(&mut found).unwrap();
            if found[..length] == frame {
                break;
            }
        }
    };

    if transport == Transport::Udp {
        let taken = end.listen();
        let joined = runtime::join_segment(&host, &paths, &bench.topology, &west);
        let told = render(&joined.unwrap_err());
        assert!(told.contains("caused by: hub needs UDP port "), "{told}");
        assert!(told.contains("nodes.west.sshPort"), "{told}");
        drop(taken);
    }
    let start = || {
        runtime::join_segment(&host, &paths, &bench.topology, &west).unwrap();
        bench.start(&host, "west").unwrap()
    };
    let running = start();
    assert!(end.is_open() && west_end.is_open());
    heard(0x11);
    let saved = fs::read_to_string(paths.node(&bench.node("hub").name).argv()).unwrap();
    assert!(saved.contains("id=link-west,"), "{saved}");
    let removes = saved.contains("west.hub\n");
    assert_eq!(removes, transport == Transport::Unix, "{saved}");
    let reason = "\n# The hub's port `drain` leads nowhere, of which QEMU warns";
    assert!(saved.contains(reason), "{saved}");

    // It dies and comes back.
    running.kill().unwrap();
    start();
    heard(0x22);

    runtime::leave_segment(&paths, &bench.topology, &west.name).unwrap();
    assert!(!end.is_open(), "the link is there");
    // Twice is as good as once, as after a kill.
    runtime::leave_segment(&paths, &bench.topology, &west.name).unwrap();
    assert_eq!(process::find(&paths, &bench.node("hub").name), Some(hub));
}

/// More frames at once than a TCP burst has, each as large as they get, arrive whole.
#[test]
fn a_burst_passes_a_segment_of_udp() {
    let mut bench = Bench::new();
    let mut host = bench.ready(Arch::X86_64, "hub");
    host.transport = Transport::Udp;
    let mut west = bench.node("east").clone();
    west.name = NodeName::parse("west").unwrap();
    if let Machine::Guest(guest) = &mut west.machine {
        guest.ssh_port = free_ssh_port();
    }
    bench.topology.nodes.push(west.clone());
    let [_, east] = End::both(&bench, Transport::Udp, bench.node("east"));
    let receive = east.listen();
    bench.start(&host, "hub").unwrap();
    let [end, _] = End::both(&bench, Transport::Udp, &west);
    for word in 0..64 {
        let mut frame = [word; 1514];
        frame[..6].fill(0xff);
        end.send(&frame);
    }
    let mut found = [0; 2048];
    let mut next = 0;
    while next < 64 {
        let length = receive(&mut found).unwrap();
        if length == 1514 {
            assert_eq!(found[6], next);
            next += 1;
        }
    }
}
