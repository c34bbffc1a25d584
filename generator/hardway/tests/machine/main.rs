//! Machines under real QEMUs, as far as the firmware: our exact command lines
//! boot it for both architectures, and what goes wrong with a machine is told.
//!
//! Needs QEMU for x86_64 and aarch64, qemu-img, OVMF and AAVMF.

#![allow(clippy::unwrap_used)] // clippy.toml covers test functions, not their helpers

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use common::report;
use common::state::Paths;
use hardway::{deploy, runtime};
use model::topology::{self, Machine, Node, SegmentPorts, Sources, Topology};
use qemu::capture;
use qemu::disk::{self, Content};
use qemu::process::{self, Running};
use qemu::segment::Transport;
use qemu::{Accelerator, Arch, Host, HostOptions};

mod base;
mod console;
mod crafted;
mod full;
mod grow;
mod shutdown;
mod slow;
mod snapshot;
mod undo;

/// From power-on to the firmware's shell, emulated on a loaded host.
const FIRMWARE: Duration = Duration::from_secs(240);

/// A cluster in a folder of its own, whose machines are stopped at its end.
struct Bench {
    folder: tempfile::TempDir,
    topology: Topology,
}

impl Bench {
    fn new() -> Self {
        Self::in_folder(tempfile::tempdir().unwrap())
    }

    fn in_folder(folder: tempfile::TempDir) -> Self {
        let json = r#"{
            "name": "bench",
            "cni": "bridge",
            "nodes": {
                "hub": { "role": "control-plane", "address": "10.240.0.10" },
                "east": { "role": "worker", "address": "10.240.0.21" }
            }
        }"#;
        // The least that a topology takes.
        let env = "CONTROL_PLANE_MEM=2048\nWORKER_MEM=1024\n";
        // For the command line; the tests' own disks are smaller.
        fs::write(folder.path().join("cluster.json"), json).unwrap();
        fs::write(folder.path().join("cluster.env"), env).unwrap();
        let environment = BTreeMap::from([("API_PORT".to_owned(), free_port().to_string())]);
        let mut topology = topology::parse(&Sources {
            dir: folder.path(),
            json,
            json_name: "cluster.json",
            env,
            env_name: "cluster.env",
            environment: &environment,
        })
        .unwrap();
        for node in &mut topology.nodes {
            if let Machine::Guest(guest) = &mut node.machine {
                guest.disk = 1;
                guest.ssh_port = free_ssh_port();
            }
        }
        Self { folder, topology }
    }

    fn paths(&self) -> Paths {
        Paths::new(self.folder.path())
    }

    fn node(&self, name: &str) -> &Node {
        self.topology.node(name).unwrap()
    }

    /// A host for guests of `arch`, emulated, and fresh images for `node`.
    fn ready(&self, arch: Arch, node: &str) -> Host {
        let options = HostOptions {
            arch: Some(arch),
            ..HostOptions::default()
        };
        let mut host = Host::detect(&self.paths(), &options).unwrap();
        host.accelerator = Accelerator::Tcg;
        // On every system: the tests take part in it with sockets of their own.
        host.transport = Transport::Unix;
        let (paths, node) = (self.paths(), self.node(node));
        let files = paths.node(&node.name);
        let empty = Content::Empty(node.guest().unwrap().disk);
        disk::create(&host.qemu, host.arch, &host.firmware, &files, empty).unwrap();
        host
    }

    fn start(&self, host: &Host, node: &str) -> anyhow::Result<Running> {
        deploy::start(host, &self.paths(), &self.topology, self.node(node), None)
    }

    /// Waits for `text` on the serial console.
    fn console(&self, node: &str, text: &str) {
        let log = self.paths().node(&self.node(node).name).serial_log();
        let deadline = Instant::now() + FIRMWARE;
        loop {
            let seen = fs::read(&log).unwrap_or_default();
            let seen = String::from_utf8_lossy(&seen);
            if seen.contains(text) {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "no {text:?} on the console of {node}:\n{seen}"
            );
            sleep(Duration::from_millis(200));
        }
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        for node in &self.topology.nodes {
            if let Some(running) = process::find(&self.paths(), &node.name) {
                let _ = running.kill();
            }
        }
        let _ = fs::remove_dir_all(self.paths().runtime());
    }
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// One whose UDP ports for the segment are free too.
fn free_ssh_port() -> u16 {
    let free = |port| std::net::UdpSocket::bind(("127.0.0.1", port)).is_ok();
    loop {
        let port = free_port();
        if SegmentPorts::of(port).is_some_and(|ports| free(ports.node) && free(ports.hub)) {
            return port;
        }
    }
}

/// How nice a process is, in `ps`' words.
fn niceness(running: &Running) -> i32 {
    let output = std::process::Command::new("ps")
        .args(["-o", "ni=", "-p", &running.pid().to_string()])
        .output()
        .unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    told.trim().parse().unwrap()
}

#[test]
fn an_emulated_worker_gives_way_to_the_control_plane() {
    let bench = Bench::new();
    let host = bench.ready(Arch::X86_64, "hub");
    bench.ready(Arch::X86_64, "east");
    let (hub, east) = (bench.start(&host, "hub"), bench.start(&host, "east"));
    assert_eq!(niceness(&east.unwrap()) - niceness(&hub.unwrap()), 5);
}

/// The firmware finds nothing on the empty disk and comes to its shell, without a
/// detour over the network.
#[test]
fn an_x86_64_machine_reaches_the_firmwares_shell_and_is_found_again() {
    let bench = Bench::new();
    let host = bench.ready(Arch::X86_64, "hub");
    let running = bench.start(&host, "hub").unwrap();
    bench.console("hub", "UEFI Interactive Shell");

    let paths = bench.paths();
    assert_eq!(bench.start(&host, "hub").unwrap(), running, "started twice");
    let mut qmp = running.qmp().unwrap();
    let status = qmp.execute("query-status", &serde_json::json!({})).unwrap();
    assert_eq!(status["status"], "running");
    let error = qmp
        .execute("no-such-command", &serde_json::json!({}))
        .unwrap_err();
    assert!(
        format!("{error:#}").contains("no-such-command"),
        "{error:#}"
    );
    drop(qmp);

    // As after a hardway that was killed before it could note the process.
    let node = &bench.node("hub").name;
    fs::remove_file(paths.node(node).pid()).unwrap();
    assert_eq!(process::find(&paths, node), Some(running.clone()));

    // A second machine joins the segment; its peer's death and return are nothing to it.
    bench.ready(Arch::X86_64, "east");
    let east = bench.start(&host, "east").unwrap();
    running.kill().unwrap();
    assert_eq!(process::find(&paths, node), None);
    let again = bench.start(&host, "hub").unwrap();
    assert_ne!(again, running);
    assert!(east.alive());

    // A guest without a system does not hear its power button.
    assert!(!again.stop(Duration::from_secs(1)).ended);
    again.kill().unwrap();
    assert!(!again.alive());
}

#[test]
fn an_aarch64_machine_reaches_the_firmwares_shell() {
    let bench = Bench::new();
    let host = bench.ready(Arch::Aarch64, "hub");
    assert_eq!(host.accelerator, Accelerator::Tcg);
    let running = bench.start(&host, "hub").unwrap();
    bench.console("hub", "UEFI Interactive Shell");
    running.kill().unwrap();
}

/// A frame that a peer on the segment sends is in the file, whether the capture began
/// with the machine or later.
#[test]
fn what_comes_over_the_segment_is_captured() {
    let bench = Bench::new();
    let (host, paths) = (bench.ready(Arch::X86_64, "east"), bench.paths());
    let files = ["first.pcap", "second.pcap", "third.pcap"];
    let [first, second, third] = files.map(|name| bench.folder.path().join(name));
    let mut frame = [0x11; 60];
    frame[..6].fill(0xff); // to everyone
    let holds = |file: &Path| fs::read(file).unwrap().ends_with(&frame);
    let send_until_caught = |file: &Path| {
        let hub = UnixDatagram::unbound().unwrap();
        hub.send_to(&frame, paths.runtime().join("east.seg"))
            .unwrap();
        let deadline = Instant::now() + FIRMWARE;
        while !holds(file) {
            assert!(Instant::now() < deadline, "nothing in {}", file.display());
            sleep(Duration::from_millis(50));
        }
    };

    let spec = runtime::machine(&bench.topology, bench.node("east")).unwrap();
    let running = process::start(&host, &paths, &spec, Some(&first)).unwrap();
    send_until_caught(&first);
    let magic = 0xa1b2_c3d4_u32.to_ne_bytes();
    assert_eq!(fs::read(&first).unwrap()[..4], magic);
    running.kill().unwrap();

    let running = bench.start(&host, "east").unwrap();
    capture::attach(&running, &spec, &second).unwrap();
    capture::attach(&running, &spec, &third).unwrap();
    send_until_caught(&third);
    assert!(!holds(&second), "the earlier capture has ended");
    running.kill().unwrap();
}

/// A guest that has no system reads no frame, and neither does one that boots: their QEMU
/// does, else the one that sends would try again and again with all of a processor. With a
/// second worker the hub's would even without its drain.
#[test]
fn the_segments_sockets_are_read_whatever_the_guest_does() {
    let bench = Bench::new();
    let host = bench.ready(Arch::X86_64, "hub");
    bench.ready(Arch::X86_64, "east");
    let runtime = bench.paths().runtime();
    for (node, socket) in [("hub", "east.hub"), ("east", "east.seg")] {
        let running = bench.start(&host, node).unwrap();
        let sender = UnixDatagram::unbound().unwrap();
        sender.set_nonblocking(true).unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        // More than may wait in a socket (Linux: net.unix.max_dgram_qlen, 10 or 512).
        for sent in 0..2000 {
            while let Err(error) = sender.send_to(&[0xff; 60], runtime.join(socket)) {
                assert!(
                    Instant::now() < deadline,
                    "{node} took {sent} frames: {error}"
                );
                sleep(Duration::from_millis(10));
            }
        }
        running.kill().unwrap();
    }
}

/// The machine type of the first run stays, and one that is gone is named.
#[test]
fn what_is_pinned_stays() {
    let bench = Bench::new();
    let host = bench.ready(Arch::X86_64, "hub");
    assert!(host.machine.starts_with("pc-q35-"), "{}", host.machine);
    let options = HostOptions {
        arch: Some(Arch::Aarch64),
        ..HostOptions::default()
    };
    let message = report::render(&Host::detect(&bench.paths(), &options).unwrap_err());
    assert!(message.contains("x86_64, not aarch64"), "{message}");

    let pinned = bench.paths().machine_json();
    let text = fs::read_to_string(&pinned).unwrap();
    fs::write(&pinned, text.replace(&host.machine, "pc-q35-0.1")).unwrap();
    let error = Host::detect(&bench.paths(), &HostOptions::default()).unwrap_err();
    let message = report::render(&error);
    assert!(
        message.contains("pc-q35-0.1") && message.contains("hint: "),
        "{message}"
    );
}

/// Where a present hypervisor does not run a guest, emulation is chosen with a word;
/// where it does, it is chosen.
#[test]
fn a_hypervisor_is_believed_when_it_boots_something() {
    let bench = Bench::new();
    let options = HostOptions {
        arch: Some(Arch::native()),
        ..HostOptions::default()
    };
    let host = Host::detect(&bench.paths(), &options).unwrap();
    let present = Path::new("/dev/kvm").exists() || cfg!(target_os = "macos");
    match (present, host.accelerator) {
        (true, Accelerator::Tcg) => {
            let word = host.passed_over.unwrap();
            assert!(
                word.contains("is there but does not run a guest ("),
                "{word}"
            );
        }
        (false, accelerator) => {
            assert_eq!(accelerator, Accelerator::Tcg);
            assert_eq!(host.passed_over, None);
        }
        (true, _) => assert_eq!(host.passed_over, None),
    }
}

#[test]
fn a_disk_in_use_and_a_missing_disk_are_told() {
    let bench = Bench::new();
    let host = bench.ready(Arch::X86_64, "east");
    let files = bench.paths().node(&bench.node("east").name);
    let mut other = Command::new(&host.qemu)
        .args([
            "-machine",
            "none",
            "-nodefaults",
            "-display",
            "none",
            "-blockdev",
        ])
        .arg(format!(
            "driver=qcow2,node-name=d,file.driver=file,file.filename={}",
            files.disk().display()
        ))
        .args(["-chardev", "stdio,id=q", "-mon", "chardev=q,mode=control"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // QEMU greets once it has opened its disks.
    let mut greeting = [0; 1];
    std::io::Read::read_exact(other.stdout.as_mut().unwrap(), &mut greeting).unwrap();
    let message = report::render(&bench.start(&host, "east").unwrap_err());
    other.kill().unwrap();
    other.wait().unwrap();
    assert!(message.contains("cannot start east"), "{message}");
    assert!(message.contains("lock"), "{message}");
    assert!(message.contains("hint: "), "{message}");

    fs::remove_file(files.disk()).unwrap();
    let message = report::render(&bench.start(&host, "east").unwrap_err());
    assert!(message.contains("hint: hardway install east"), "{message}");
}
