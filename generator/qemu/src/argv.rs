//! QEMU's command line for one node: the same for a running machine and for the
//! one that installs it, but for what each is for.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::argument::{Arguments, Properties};
use super::segment::Transport;
use super::{Accelerator, Host, capture, disk, segment};
use crate::spec::{MachineSpec, PortForward, Uplink};
use common::state::{NodePaths, Paths};

/// The installer's live store is in memory: less than this, in MiB, is not enough for it.
pub const INSTALL_MEMORY: u32 = 4096;

/// Where a running machine's sockets are.
#[derive(Debug, Clone)]
pub struct Sockets {
    pub qmp: PathBuf,
    pub agent: PathBuf,
    pub console: PathBuf,
}

impl Sockets {
    /// Those of the machine `name`.
    pub fn of(paths: &Paths, name: impl AsRef<str>) -> Self {
        let name = name.as_ref();
        let runtime = paths.runtime();
        let socket = |kind: &str| runtime.join(format!("{name}.{kind}"));
        Self {
            qmp: socket("qmp"),
            agent: socket("qga"),
            console: socket("con"),
        }
    }
}

/// The running machine: detached, its serial port logged and reachable. What its NIC on
/// the nodes' network sends and receives goes into the file `capture`, if there is one.
pub fn boot(
    host: &Host,
    paths: &Paths,
    spec: &MachineSpec,
    capture: Option<&Path>,
) -> Result<Vec<OsString>> {
    let sockets = Sockets::of(paths, &spec.name);
    for socket in [&sockets.qmp, &sockets.agent, &sockets.console] {
        segment::fits(socket)?;
    }
    let files = paths.node(&spec.name);
    let mut arguments = machine(host, &files, spec, Task::Run)?;
    let mut uplink = user_network(&spec.uplink);
    for PortForward { host, guest, .. } in &spec.uplink.forwards {
        uplink = uplink.set("hostfwd", format!("tcp:127.0.0.1:{host}-:{guest}"));
    }
    arguments
        .option("netdev", uplink)
        .option("device", nic("uplink", &spec.uplink.mac));
    segment(&mut arguments, host.transport, paths, spec)?;
    if let Some(file) = capture {
        arguments.option(
            "object",
            Properties::of("filter-dump")
                .set("id", capture::ID)
                .set("netdev", capture::netdev(spec))
                .set("file", file),
        );
    }
    arguments
        .option("chardev", listener("qmp", &sockets.qmp))
        .option(
            "mon",
            Properties::first("chardev", "qmp").set("mode", "control"),
        )
        // The same through FIFOs beside the disk, which stay when the sockets are cleaned away.
        .option(
            "chardev",
            Properties::of("pipe")
                .set("id", "fifo")
                .set("path", files.fifo()),
        )
        .option(
            "mon",
            Properties::first("chardev", "fifo").set("mode", "control"),
        )
        .option("chardev", listener("agent", &sockets.agent))
        .plain("device", "virtio-serial-pci")
        .option(
            "device",
            Properties::of("virtserialport")
                .set("chardev", "agent")
                .set("name", "org.qemu.guest_agent.0"),
        )
        .option(
            "chardev",
            listener("serial", &sockets.console)
                .set("logfile", files.serial_log())
                .set("logappend", "off"),
        )
        .plain("serial", "chardev:serial")
        .flag("daemonize")
        .plain("pidfile", files.qemu_pid())
        // Where QEMU complains once it has let go of standard error.
        .plain("D", files.qemu_log());
    Ok(arguments.finish())
}

/// A live medium, whose kernel is booted directly.
#[derive(Debug, Clone)]
pub struct Live {
    pub iso: PathBuf,
    pub kernel: PathBuf,
    pub initrd: PathBuf,
    /// The kernel's.
    pub command_line: String,
}

/// The machine that installs a disk in the folder `files`: boots the medium's kernel
/// directly, serial port on standard input and output, ends when the guest powers off.
pub fn install(
    host: &Host,
    files: &NodePaths,
    spec: &MachineSpec,
    live: &Live,
) -> Result<Vec<OsString>> {
    let mut arguments = machine(host, files, spec, Task::Install)?;
    arguments
        .option("netdev", user_network(&spec.uplink))
        .option("device", nic("uplink", &spec.uplink.mac))
        .option(
            "blockdev",
            image("medium", "raw", &live.iso).set("read-only", "on"),
        )
        // SCSI over virtio, not AHCI: a kernel made for the cloud knows only the former.
        .option(
            "device",
            Properties::of("virtio-scsi-pci").set("id", "scsi"),
        )
        .option("device", Properties::of("scsi-cd").set("drive", "medium"))
        .plain("kernel", &live.kernel)
        .plain("initrd", &live.initrd)
        // systemd gives up on a login at a serial port that udev has not found within
        // 90 s, as an emulated machine on a busy host may not have. Known since systemd
        // 258; older ones pass it over.
        .plain(
            "append",
            format!(
                "{} systemd.default_device_timeout_sec={}",
                live.command_line,
                90 * host.patience()
            ),
        )
        .option(
            "chardev",
            Properties::of("stdio")
                .set("id", "serial")
                .set("signal", "off"),
        )
        .plain("serial", "chardev:serial")
        .flag("no-reboot");
    Ok(arguments.finish())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Task {
    Run,
    Install,
}

/// What both are made of: the machine, its firmware and its disk.
fn machine(host: &Host, files: &NodePaths, spec: &MachineSpec, task: Task) -> Result<Arguments> {
    let emulated = host.accelerator == Accelerator::Tcg;
    let memory = match task {
        Task::Run => spec.memory,
        Task::Install => spec.memory.max(INSTALL_MEMORY),
    };
    let mut arguments = platform(host, host.accelerator, &files.firmware_variables())?;
    arguments
        .option("name", Properties::of(&spec.title))
        // Emulated, two processors race each other's code patching (a guest panicked so).
        .plain("smp", if emulated { 1 } else { spec.cpus }.to_string())
        .plain("m", memory.to_string())
        .plain("rtc", "base=utc")
        .plain("device", "virtio-rng-pci");

    // Where flushes stop at the host's page cache, a killed QEMU loses nothing, but
    // a host that loses power does. An installation is repeated then, and what is
    // emulated is a rehearsal: etcd's flushes would take much of its time.
    let mut disk = image("disk", "qcow2", &files.disk())
        .set("discard", "unmap")
        .set("file.discard", "unmap");
    if emulated || task == Task::Install {
        disk = disk
            .set("cache.no-flush", "on")
            .set("file.cache.no-flush", "on");
    }
    arguments
        .option("blockdev", disk)
        // The firmware tries the disk, then its shell, and no network in between.
        .option(
            "device",
            Properties::of("virtio-blk-pci")
                .set("drive", "disk")
                .set("bootindex", "1"),
        );
    Ok(arguments)
}

/// The bare machine with its firmware, whose variables are in the qcow2 file `variables`.
pub(super) fn platform(
    host: &Host,
    accelerator: Accelerator,
    variables: &Path,
) -> Result<Arguments> {
    let code = disk::padded_code(host.arch, &host.firmware)?;
    let mut arguments = Arguments::of(&host.qemu);
    arguments
        .flag("no-user-config")
        .flag("nodefaults")
        .plain("display", "none")
        .option(
            "machine",
            Properties::of(&host.machine)
                .set("pflash0", "code")
                .set("pflash1", "variables"),
        )
        .plain("accel", accelerator.argument())
        .plain("cpu", host.arch.cpu(accelerator))
        .option(
            "blockdev",
            image("code", "raw", &code).set("read-only", "on"),
        )
        .option("blockdev", image("variables", "qcow2", variables));
    Ok(arguments)
}

/// A file as a block device.
fn image(name: &str, format: &str, file: &Path) -> Properties {
    Properties::first("driver", format)
        .set("node-name", name)
        .set("file.driver", "file")
        .set("file.filename", file)
}

/// A socket that QEMU listens on, with or without a peer.
fn listener(id: &str, socket: &Path) -> Properties {
    Properties::of("socket")
        .set("id", id)
        .set("path", socket)
        .set("server", "on")
        .set("wait", "off")
}

/// Without an option ROM (`romfile=`) QEMU needs no file for network boot.
fn nic(netdev: &str, mac: &str) -> Properties {
    Properties::of("virtio-net-pci")
        .set("netdev", netdev)
        .set("mac", mac)
        .set("romfile", "")
}

/// The user-mode network: internet, and the host at 10.0.2.2.
fn user_network(uplink: &Uplink) -> Properties {
    let network = Properties::of("user")
        .set("id", "uplink")
        .set("ipv6", "off");
    match uplink.address {
        None => network,
        // Each guest has a user-mode network of its own, and would be 10.0.2.15 in each.
        Some(address) => network.set("dhcpstart", address.to_string()),
    }
}

/// The second NIC, on the segment.
fn segment(
    arguments: &mut Arguments,
    transport: Transport,
    paths: &Paths,
    spec: &MachineSpec,
) -> Result<()> {
    let Some(segment) = &spec.segment else {
        return Ok(());
    };
    let dgram = |id: &str, link: &segment::Link| {
        let netdev = Properties::of("dgram").set("id", id);
        let netdev = link.local.describe(netdev, "local");
        link.remote.describe(netdev, "remote")
    };
    let port = |id: &str| {
        Properties::of("hubport")
            .set("id", id)
            .set("hubid", segment::HUB.to_string())
    };
    for link in &segment::links(transport, spec, &paths.runtime())? {
        let [name, end] = link.ids();
        arguments
            .option("netdev", dgram(&name, link))
            .option("netdev", port(&end).set("netdev", &name));
    }
    arguments
        .option("netdev", port(segment::DRAIN))
        .option("netdev", port("segment"))
        .option("device", nic("segment", &segment.mac));
    Ok(())
}
