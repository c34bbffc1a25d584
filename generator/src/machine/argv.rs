//! QEMU's command line for one node, from typed parts: the same for a running
//! machine and for the one that installs it, but for what each is for.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::{Accelerator, Host, Medium, disk, segment};
use crate::plan::{API_SECURE_PORT, kubelet_port, node_address};
use crate::state::Paths;
use crate::topology::{NetworkMode, Node, Role, Topology};

/// The installer's live store is in memory: less than this is not enough for it.
pub const INSTALL_MEMORY: u32 = 4096;

/// Where a running machine's sockets are.
#[derive(Debug, Clone)]
pub struct Sockets {
    pub qmp: PathBuf,
    pub agent: PathBuf,
    pub console: PathBuf,
}

impl Sockets {
    pub fn of(paths: &Paths, node: &Node) -> Self {
        let runtime = paths.runtime();
        let socket = |kind: &str| runtime.join(format!("{}.{kind}", node.name));
        Self {
            qmp: socket("qmp"),
            agent: socket("qga"),
            console: socket("con"),
        }
    }
}

/// Collects words; every option's value is built in one place.
#[derive(Default)]
struct Words(Vec<OsString>);

impl Words {
    fn add(&mut self, option: &str, value: impl Into<OsString>) {
        self.0.push(option.into());
        self.0.push(value.into());
    }
}

/// A path inside a comma-separated option: QEMU wants commas doubled.
fn value(path: &Path) -> String {
    path.to_string_lossy().replace(',', ",,")
}

/// The running machine: detached, its serial port logged and reachable.
pub fn boot(host: &Host, paths: &Paths, topology: &Topology, node: &Node) -> Result<Vec<OsString>> {
    let sockets = Sockets::of(paths, node);
    let files = paths.node(&node.name);
    let mut words = common(host, paths, topology, node, node.machine.memory)?;
    words.0.push("-daemonize".into());
    words.add("-pidfile", files.dir.join("qemu.pid"));
    words.add(
        "-qmp",
        format!("unix:{},server=on,wait=off", value(&sockets.qmp)),
    );
    words.add(
        "-chardev",
        format!(
            "socket,id=serial,path={},server=on,wait=off,logfile={},logappend=off",
            value(&sockets.console),
            value(&files.serial_log())
        ),
    );
    words.add("-serial", "chardev:serial");
    words.add("-device", "virtio-serial-pci");
    words.add(
        "-chardev",
        format!(
            "socket,id=agent,path={},server=on,wait=off",
            value(&sockets.agent)
        ),
    );
    words.add(
        "-device",
        "virtserialport,chardev=agent,name=org.qemu.guest_agent.0",
    );
    if topology.network.mode == NetworkMode::Segment {
        add_segment(&mut words, topology, node, &paths.runtime())?;
    }
    for socket in [&sockets.qmp, &sockets.agent, &sockets.console] {
        segment::fits(socket)?;
    }
    Ok(words.0)
}

/// The machine that installs the node: boots the medium's kernel directly, serial
/// port on standard input and output, ends when the guest powers off.
pub fn install(
    host: &Host,
    paths: &Paths,
    topology: &Topology,
    node: &Node,
    medium: &Medium,
) -> Result<Vec<OsString>> {
    let memory = node.machine.memory.max(INSTALL_MEMORY);
    let mut words = common(host, paths, topology, node, memory)?;
    words.0.push("-no-reboot".into());
    words.add("-chardev", "stdio,id=serial,signal=off");
    words.add("-serial", "chardev:serial");
    words.add("-device", "virtio-scsi-pci,id=scsi");
    words.add(
        "-drive",
        format!(
            "if=none,id=medium,format=raw,media=cdrom,read-only=on,file={}",
            value(&medium.iso)
        ),
    );
    words.add("-device", "scsi-cd,drive=medium");
    words.add("-kernel", medium.kernel.clone());
    words.add("-initrd", medium.initrd.clone());
    words.add("-append", medium.command_line.clone());
    Ok(words.0)
}

/// What both are made of: machine, firmware, disk, uplink.
fn common(
    host: &Host,
    paths: &Paths,
    topology: &Topology,
    node: &Node,
    memory: u32,
) -> Result<Words> {
    let files = paths.node(&node.name);
    let tcg = host.accelerator == Accelerator::Tcg;
    let mut words = Words::default();
    words.0.push(host.qemu.clone().into());
    words.add("-name", format!("{}-{}", topology.name, node.name));
    words
        .0
        .extend(["-no-user-config".into(), "-nodefaults".into()]);
    words.add("-display", "none");
    words.add("-machine", host.machine.clone());
    words.add(
        "-accel",
        match host.accelerator {
            Accelerator::Tcg => "tcg,thread=multi,tb-size=512",
            other => other.as_str(),
        },
    );
    words.add("-cpu", if tcg { "max" } else { "host" });
    // Emulated, two processors race each other's code patching (a guest panicked so).
    words.add("-smp", if tcg { 1 } else { node.machine.cpus }.to_string());
    words.add("-m", memory.to_string());
    words.add("-rtc", "base=utc");
    words.add("-device", "virtio-rng-pci");

    let code = disk::padded_code(host.arch, &host.firmware)?;
    words.add(
        "-drive",
        format!(
            "if=pflash,unit=0,format=raw,readonly=on,file={}",
            value(&code)
        ),
    );
    words.add(
        "-drive",
        format!(
            "if=pflash,unit=1,format=qcow2,file={}",
            value(&files.firmware_variables())
        ),
    );
    // The host's page cache is enough: a lost machine is installed again.
    words.add(
        "-drive",
        format!(
            "if=none,id=disk,format=qcow2,cache=unsafe,discard=unmap,file={}",
            value(&files.disk())
        ),
    );
    words.add("-device", "virtio-blk-pci,drive=disk,bootindex=1");

    words.add("-netdev", uplink(topology, node));
    // Without an option ROM the firmware loses no time over network boot.
    words.add(
        "-device",
        format!(
            "virtio-net-pci,netdev=uplink,mac={},romfile=",
            node.uplink_mac
        ),
    );
    Ok(words)
}

/// The user-mode NIC and its forwards, all from the host's 127.0.0.1.
fn uplink(topology: &Topology, node: &Node) -> String {
    let mut uplink = "user,id=uplink,ipv6=off".to_owned();
    if topology.network.mode == NetworkMode::User {
        uplink += &format!(",dhcpstart={}", node_address(topology, node));
    }
    for (host, guest) in forwards(topology, node) {
        uplink += &format!(",hostfwd=tcp:127.0.0.1:{host}-:{guest}");
    }
    uplink
}

/// TCP ports of the host's 127.0.0.1 → ports of this guest.
pub fn forwards(topology: &Topology, node: &Node) -> Vec<(u16, u16)> {
    let mut forwards = Vec::new();
    match node.role {
        Role::ControlPlane => forwards.push((topology.api_port, API_SECURE_PORT)),
        Role::Worker if topology.network.mode == NetworkMode::User => {
            let port = kubelet_port(topology, node);
            forwards.push((port, port));
        }
        Role::Worker => {}
    }
    forwards.extend(
        node.forwards
            .iter()
            .map(|forward| (forward.host, forward.guest)),
    );
    forwards
}

fn add_segment(words: &mut Words, topology: &Topology, node: &Node, runtime: &Path) -> Result<()> {
    let links = segment::links(topology, node, runtime);
    for link in &links {
        segment::fits(&link.local)?;
        segment::fits(&link.remote)?;
    }
    let dgram = |id: &str, link: &segment::Link| {
        format!(
            "dgram,id={id},local.type=unix,local.path={},remote.type=unix,remote.path={}",
            value(&link.local),
            value(&link.remote)
        )
    };
    if let [link] = links.as_slice() {
        words.add("-netdev", dgram("segment", link));
    } else {
        for (index, link) in links.iter().enumerate() {
            words.add("-netdev", dgram(&format!("link{index}"), link));
            words.add(
                "-netdev",
                format!("hubport,id=port{index},hubid=0,netdev=link{index}"),
            );
        }
        words.add("-netdev", "hubport,id=segment,hubid=0");
    }
    words.add(
        "-device",
        format!(
            "virtio-net-pci,netdev=segment,mac={},romfile=",
            node.segment_mac
        ),
    );
    Ok(())
}
