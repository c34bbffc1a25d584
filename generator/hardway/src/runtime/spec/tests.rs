use std::ffi::OsString;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::Path;

use super::*;
use common::report;
use model::plan::sample;
use model::topology::{Cni, Forward, Machine};
use qemu::argv::{self, Live, install};
use qemu::{Accelerator, Arch, Firmware};

fn host(arch: Arch, folder: &Path) -> Host {
    let code = folder.join("code.fd");
    let file = std::fs::File::create(&code).unwrap();
    file.set_len(64 << 20).unwrap();
    Host {
        arch,
        qemu: "/usr/bin/qemu".into(),
        version: "7.2.22".into(),
        machine: format!("{}-7.2", arch.machine()),
        accelerator: Accelerator::Tcg,
        passed_over: None,
        firmware: Firmware {
            variables: folder.join("vars.fd"),
            code,
        },
        transport: Transport::Unix,
    }
}

/// The command line of the node's machine.
fn boot(
    host: &Host,
    paths: &Paths,
    topology: &Topology,
    node: &Node,
    capture: Option<&Path>,
) -> Result<Vec<OsString>> {
    argv::boot(host, paths, &machine(topology, node)?, capture)
}

fn all_free(transport: Transport, topology: &Topology, node: &Node) -> Result<()> {
    process::ports_free(transport, &machine(topology, node)?)
}

/// An option a line, paths of this run replaced.
fn shown(argv: &[OsString], paths: &Paths, folder: &Path) -> String {
    let mut text = String::new();
    for word in argv {
        let word = word.to_str().unwrap();
        text += if word.starts_with('-') && !text.is_empty() {
            "\n"
        } else {
            " "
        };
        text += if word.is_empty() { "''" } else { word };
    }
    text.trim()
        .replace(paths.runtime().to_str().unwrap(), "RUN")
        .replace(folder.to_str().unwrap(), "DIR")
}

fn snapshot(name: &str, make: impl FnOnce(&Path, &Paths) -> Vec<OsString>) {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::new(folder.path().join("a,b"));
    let argv = make(folder.path(), &paths);
    let text = shown(&argv, &paths, folder.path());
    insta::with_settings!({ omit_expression => true }, { insta::assert_snapshot!(name, text) });
}

#[test]
fn the_hub_of_two_workers_on_x86_64() {
    snapshot("hub-x86_64", |folder, paths| {
        let mut topology = sample::topology(Cni::Bridge, NetworkMode::Segment);
        if let Machine::Guest(guest) = &mut topology.nodes[1].machine {
            guest.forwards = vec![Forward {
                host: 8080,
                guest: 80,
            }];
        }
        let hub = topology.node("hub").unwrap();
        boot(&host(Arch::X86_64, folder), paths, &topology, hub, None).unwrap()
    });
}

/// As on macOS: the ports follow the worker's ssh port.
#[test]
fn a_segment_of_udp_has_the_ports_of_the_spokes_at_both_ends() {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::new(folder.path());
    let topology = sample::topology(Cni::Bridge, NetworkMode::Segment);
    let mut host = host(Arch::X86_64, folder.path());
    host.transport = Transport::Udp;
    let [hub, west] = ["hub", "west"].map(|name| {
        let argv = boot(&host, &paths, &topology, topology.node(name).unwrap(), None).unwrap();
        shown(&argv, &paths, folder.path())
    });
    let end = |which: &str, port: u16| {
        format!("{which}.type=inet,{which}.host=127.0.0.1,{which}.port={port}")
    };
    for (text, id, local, remote) in [
        (&hub, "link-east", 7209, 2209),
        (&hub, "link-west", 7207, 2207),
        (&west, "link-west", 2207, 7207),
    ] {
        let (local, remote) = (end("local", local), end("remote", remote));
        let wanted = format!("-netdev dgram,id={id},{local},{remote}\n");
        assert!(text.contains(&wanted), "{text}");
    }
    assert!(!hub.contains("unix") && !west.contains("unix"), "{west}");
}

#[test]
fn a_worker_on_aarch64_with_hardware_acceleration() {
    snapshot("worker-aarch64", |folder, paths| {
        let topology = sample::topology(Cni::Bridge, NetworkMode::Segment);
        let mut host = host(Arch::Aarch64, folder);
        host.accelerator = Accelerator::Hvf;
        boot(
            &host,
            paths,
            &topology,
            topology.node("west").unwrap(),
            None,
        )
        .unwrap()
    });
}

#[test]
fn a_capture_is_of_the_nic_on_the_nodes_network() {
    let file = Path::new("/data/a,b.pcap");
    snapshot("capture-x86_64", |folder, paths| {
        let topology = sample::topology(Cni::Bridge, NetworkMode::Segment);
        let host = host(Arch::X86_64, folder);
        let east = topology.node("east").unwrap();
        boot(&host, paths, &topology, east, Some(file)).unwrap()
    });

    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::new(folder.path());
    let topology = sample::topology(Cni::Bridge, NetworkMode::User);
    let host = host(Arch::X86_64, folder.path());
    let east = topology.node("east").unwrap();
    let argv = boot(&host, &paths, &topology, east, Some(file)).unwrap();
    let text = shown(&argv, &paths, folder.path());
    let wanted = "-object filter-dump,id=capture,netdev=uplink,file=/data/a,,b.pcap\n";
    assert!(text.contains(wanted), "{text}");
}

#[test]
fn an_installation_on_aarch64() {
    snapshot("install-aarch64", |folder, paths| {
        let topology = sample::topology(Cni::Bridge, NetworkMode::Segment);
        let live = Live {
            iso: folder.join("m.iso"),
            kernel: folder.join("kernel"),
            initrd: folder.join("initrd"),
            command_line: "init=/x root=fstab console=ttyAMA0".into(),
        };
        let node = topology.node("east").unwrap();
        let spec = machine(&topology, node).unwrap();
        let files = paths.node(&node.name);
        install(&host(Arch::Aarch64, folder), &files, &spec, &live).unwrap()
    });
}

#[test]
fn in_user_mode_a_worker_has_its_own_address_and_kubelet_port() {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::new(folder.path());
    let topology = sample::topology(Cni::Bridge, NetworkMode::User);
    let host = host(Arch::X86_64, folder.path());
    let argv = boot(
        &host,
        &paths,
        &topology,
        topology.node("east").unwrap(),
        None,
    )
    .unwrap();
    let text = shown(&argv, &paths, folder.path());
    assert!(
        text.contains("dhcpstart=10.0.2.17,hostfwd=tcp:127.0.0.1:10251-:10251"),
        "{text}"
    );
    assert!(
        !text.contains("dgram") && !text.contains("52:54:00"),
        "{text}"
    );
}

#[test]
fn one_worker_has_a_hub_too_for_those_that_join_later() {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::new(folder.path());
    let mut topology = sample::topology(Cni::Bridge, NetworkMode::Segment);
    topology.nodes.retain(|node| node.name.as_str() != "east");
    let host = host(Arch::X86_64, folder.path());
    let [hub, west] = ["hub", "west"].map(|name| {
        let argv = boot(&host, &paths, &topology, topology.node(name).unwrap(), None).unwrap();
        shown(&argv, &paths, folder.path())
    });
    assert!(hub.contains("local.path=RUN/west.hub,remote.type=unix,remote.path=RUN/west.seg"));
    assert!(west.contains("local.path=RUN/west.seg,remote.type=unix,remote.path=RUN/west.hub"));
    assert!(
        hub.contains("-netdev hubport,id=port-west,hubid=0,netdev=link-west\n"),
        "{hub}"
    );
}

#[test]
fn a_taken_port_is_named_with_its_holder_and_its_setting() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut topology = sample::topology(Cni::Bridge, NetworkMode::Segment);
    topology.api_port = port;
    let hub = topology.node("hub").unwrap();
    let message = report::render(&all_free(Transport::Unix, &topology, hub).unwrap_err());
    assert!(
        message.contains(&format!("hub needs port {port} of 127.0.0.1")),
        "{message}"
    );
    assert!(names_us(&message), "{message}");
    let hint = "hint: stop that program, or choose another port: API_PORT";
    assert!(message.contains(hint), "{message}");
    drop(listener);
    all_free(Transport::Unix, &topology, hub).unwrap();
}

/// macOS asks lsof, which no sandbox lets it run.
fn names_us(message: &str) -> bool {
    let process = format!(" (process {})", std::process::id());
    !cfg!(target_os = "linux") || message.contains("it is taken by ") && message.contains(&process)
}

/// Both ends of a link have a port, the hub's for each spoke.
#[test]
fn where_the_segment_is_of_udp_its_ports_are_looked_at_too() {
    let mut topology = sample::topology(Cni::Bridge, NetworkMode::Segment);
    let socket = loop {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        // Low enough for the hub's, too.
        if socket.local_addr().unwrap().port() < 60_000 {
            break socket;
        }
    };
    let port = socket.local_addr().unwrap().port();
    let mut needs = |ssh_port: u16, machine: &str| {
        for node in &mut topology.nodes {
            if let (true, Machine::Guest(guest)) = (node.name.as_str() == "west", &mut node.machine)
            {
                guest.ssh_port = ssh_port;
            }
        }
        let node = topology.node(machine).unwrap();
        all_free(Transport::Unix, &topology, node).unwrap();
        let message = report::render(&all_free(Transport::Udp, &topology, node).unwrap_err());
        let start = format!("error: {machine} needs UDP port {port} of 127.0.0.1\n");
        assert!(message.starts_with(&start), "{message}");
        assert!(names_us(&message), "{message}");
        let hint = "choose another port: nodes.west.sshPort in cluster.json, or SSH_PORT_BASE";
        assert!(message.contains(hint), "{message}");
    };
    needs(port, "west");
    needs(port - 5000, "hub");
    drop(socket);
    let hub = topology.node("hub").unwrap();
    all_free(Transport::Udp, &topology, hub).unwrap();
}
