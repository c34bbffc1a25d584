//! Whether the host has room for the machines, asked before anything is started.
//!
//! A host that runs out of memory kills a guest in the middle of an installation,
//! and etcd on a full disk stops for good: both cost far more than a refusal.

use std::path::Path;

use anyhow::{Context, Result, anyhow};

use common::report::WithHint;
use model::topology::Node;
use qemu::argv::INSTALL_MEMORY;
use qemu::disk;

/// What QEMU takes beside the guest's memory, in MiB: its own pages, and under
/// TCG the buffer of translated code (`tb-size`).
const QEMU_OVERHEAD: u64 = 128;

/// What installing writes at the least, in GiB: what the nodes share, and each node's own.
const BASE: u64 = 4;
const OVERLAY: u64 = 1;

/// A machine that is to be installed, started, or both.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub node: &'a Node,
    pub install: bool,
    /// Whether it runs afterwards, with the others that do.
    pub start: bool,
}

impl<'a> Wanted<'a> {
    /// Each of `nodes`, where `install` and `start` say what is to be done with one.
    pub(super) fn all(
        nodes: impl IntoIterator<Item = &'a Node>,
        install: impl Fn(&Node) -> bool,
        start: impl Fn(&Node) -> bool,
    ) -> Vec<Self> {
        let wanted = nodes.into_iter().map(|node| Self {
            node,
            install: install(node),
            start: start(node),
        });
        wanted.collect()
    }

    /// The guest's memory in MiB. A machine of the user's own takes nothing of this host.
    pub(super) fn memory(&self) -> u32 {
        self.node.guest().map_or(0, |guest| guest.memory)
    }
}

/// What a guest with `memory` MiB takes of the host, in MiB.
pub(super) fn taken(memory: u32) -> u64 {
    u64::from(memory) + QEMU_OVERHEAD
}

/// What a machine takes while it is installed.
fn installing(memory: u32) -> u64 {
    taken(memory.max(INSTALL_MEMORY))
}

/// Why `available` MiB are not enough: for all that run at once, or for a single
/// installation, since those can follow each other. `memory`: each guest's, in MiB.
pub(super) fn lacking(
    wanted: &[Wanted<'_>],
    available: u64,
    memory: impl Fn(&Wanted<'_>) -> u32,
) -> Option<String> {
    let started = wanted.iter().filter(|one| one.start);
    let running: u64 = started.clone().map(|one| taken(memory(one))).sum();
    let installs = wanted.iter().filter(|one| one.install);
    let largest = installs.map(|one| installing(memory(one))).max();
    let who = if running > available {
        match started.collect::<Vec<_>>()[..] {
            [one] => format!("{} asks for {running} MiB", one.node.name),
            ref many => format!("{} machines ask for {running} MiB", many.len()),
        }
    } else {
        let largest = largest.filter(|largest| *largest > available)?;
        format!("an installation takes {largest} MiB")
    };
    Some(format!(
        "the host has too little memory: {who}, and {available} MiB are free"
    ))
}

/// How many of them can be installed side by side with `available` MiB, at least one.
pub(super) fn installs_at_once(wanted: &[Wanted<'_>], available: u64) -> usize {
    let mut each: Vec<u64> = wanted.iter().map(|one| installing(one.memory())).collect();
    // Whichever they are, they fit.
    each.sort_unstable_by(|a, b| b.cmp(a));
    let mut total = 0;
    let fit = each.iter().take_while(|takes| {
        total += **takes;
        total <= available
    });
    fit.count().max(1)
}

/// Fails when `free` GiB can't hold the installations; a warning when full disks would not fit.
pub(super) fn compare_disk(
    wanted: &[Wanted<'_>],
    free: u64,
    folder: &Path,
) -> Result<Option<String>> {
    let installs = wanted.iter().filter(|machine| machine.install);
    let (count, full) = installs.fold((0, 0), |(count, full), machine| {
        let disk = machine.node.guest().map_or(0, |guest| guest.disk);
        (count + 1, full + u64::from(disk))
    });
    if count == 0 {
        return Ok(None);
    }
    let needed = BASE + count * OVERLAY;
    if free < needed {
        return Err(anyhow!(
            "too little room in {}: {} about {needed} GiB, and {free} GiB are free",
            folder.display(),
            match count {
                1 => "an installation takes".to_owned(),
                _ => format!("{count} installations take"),
            }
        ))
        .hint("remove what you can spare, or move the cluster's folder to a larger disk");
    }
    Ok((free < full).then(|| {
        format!(
            "warning: the disks may grow to {full} GiB together, and {} has {free} GiB free \
             (DISK_SIZE in cluster.env sets their size)",
            folder.display()
        )
    }))
}

/// The variable of the environment that says how much more memory the machines may take, in
/// MiB, instead of what is free.
const LIMIT: &str = "HARDWAY_MEMORY";

/// Memory that the machines can have, in MiB: what is free, or what the user allows.
pub(super) fn available_memory() -> Result<u64> {
    memory_after(0)
}

/// The same once processes that hold `freed` MiB have ended.
pub(super) fn memory_after(freed: u64) -> Result<u64> {
    match std::env::var(LIMIT) {
        Ok(text) if !text.is_empty() => text
            .parse()
            .map_err(|_| anyhow!("{LIMIT}={text:?} is not a whole number of MiB"))
            .hint(format!(
                "write a number, such as {LIMIT}=12288, or unset {LIMIT}"
            )),
        // macOS' figure is the whole memory, whoever holds it.
        _ if cfg!(target_os = "macos") => free_memory(),
        _ => Ok(free_memory()? + freed),
    }
}

/// Memory that programs can have without swapping, in MiB.
#[cfg(target_os = "linux")]
fn free_memory() -> Result<u64> {
    let path = "/proc/meminfo";
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
    mem_available(&text).with_context(|| format!("{path} has no MemAvailable"))
}

/// `MemAvailable:   12345 kB` of /proc/meminfo, in MiB.
#[cfg(any(target_os = "linux", test))]
fn mem_available(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib / 1024)
}

/// The whole memory, in MiB: macOS compresses and swaps, and has no figure like MemAvailable.
#[cfg(not(target_os = "linux"))]
fn free_memory() -> Result<u64> {
    let text = duct::cmd!("sysctl", "-n", "hw.memsize")
        .stderr_null()
        .read()
        .context("cannot ask sysctl for hw.memsize")?;
    let bytes: u64 = text
        .trim()
        .parse()
        .with_context(|| format!("hw.memsize is no number: {text}"))?;
    Ok(bytes >> 20)
}

/// Room for this user in the file system of `folder`, in GiB.
pub(super) fn free_disk(folder: &Path) -> Result<u64> {
    Ok(disk::room(folder)? >> 30)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use common::report::render;
    use model::topology::{Guest, MacAddress, Machine, NodeName, Role};

    pub(in crate::ops) fn node(name: &str, role: Role, memory: u32) -> Node {
        Node {
            name: NodeName::parse(name).unwrap(),
            role,
            address: "10.240.0.10".parse().unwrap(),
            pod_cidr: "10.200.10.0/24".parse().unwrap(),
            machine: Machine::Guest(Guest {
                memory,
                cpus: 2,
                disk: 20,
                uplink_mac: MacAddress([0x52, 0x54, 1, 0, 0, 1]),
                segment_mac: MacAddress([0x52, 0x54, 0, 0, 0, 1]),
                ssh_port: 2222,
                forwards: Vec::new(),
            }),
            modules: Vec::new(),
        }
    }

    pub(in crate::ops) fn three(memory: u32) -> [Node; 3] {
        [
            node("alpha", Role::ControlPlane, memory),
            node("gamma", Role::Worker, memory),
            node("sigma", Role::Worker, memory),
        ]
    }

    /// All of them are to run.
    pub(in crate::ops) fn wanted(nodes: &[Node], install: bool) -> Vec<Wanted<'_>> {
        Wanted::all(nodes, |_| install, |_| true)
    }

    #[test]
    fn reads_mem_available() {
        let text = "MemTotal: 24000000 kB\nMemFree: 1 kB\nMemAvailable:   20480000 kB\n";
        assert_eq!(mem_available(text), Some(20_000));
        assert_eq!(mem_available("MemTotal: 1 kB\n"), None);
    }

    #[test]
    fn compares_the_disk_only_for_what_is_installed() {
        let nodes = three(8192);
        let folder = Path::new("/data/cluster");
        assert!(
            compare_disk(&wanted(&nodes, false), 0, folder)
                .unwrap()
                .is_none()
        );
        let error = compare_disk(&wanted(&nodes, true), 5, folder).unwrap_err();
        assert!(render(&error).contains("3 installations take about 7 GiB, and 5 GiB are free"));
        let warning = compare_disk(&wanted(&nodes, true), 30, folder)
            .unwrap()
            .unwrap();
        assert!(warning.contains("60 GiB together"), "{warning}");
        assert!(
            compare_disk(&wanted(&nodes, true), 60, folder)
                .unwrap()
                .is_none()
        );
    }
}
