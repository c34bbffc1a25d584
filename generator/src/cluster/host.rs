//! Whether the host has room for the machines, asked before anything is started.
//!
//! A host that runs out of memory kills a guest in the middle of an installation,
//! and etcd on a full disk stops for good: both cost far more than a refusal.

use std::path::Path;

use anyhow::{Context, Result, anyhow};

use crate::machine::argv::INSTALL_MEMORY;
use crate::report::WithHint;
use crate::topology::{Node, Role};

/// What QEMU takes beside the guest's memory, in MiB: its own pages, and under
/// TCG the buffer of translated code (`tb-size`).
const QEMU_OVERHEAD: u64 = 128;

/// What installing writes at the least, in GiB: what the nodes share, and each node's own.
const BASE: u64 = 4;
const OVERLAY: u64 = 1;

/// A machine that is to be started, and what for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub node: &'a Node,
    pub install: bool,
}

impl Wanted<'_> {
    /// The memory that it takes, in MiB.
    fn memory(&self) -> u64 {
        // A machine of the user's own takes nothing of this host.
        let memory = self.node.guest().map_or(0, |guest| guest.memory);
        let guest = match self.install {
            true => memory.max(INSTALL_MEMORY),
            false => memory,
        };
        u64::from(guest) + QEMU_OVERHEAD
    }
}

/// Fails when the machines' memory is more than `available` MiB; the hint names what fits.
pub(super) fn compare_memory(wanted: &[Wanted<'_>], available: u64) -> Result<()> {
    let total: u64 = wanted.iter().map(Wanted::memory).sum();
    if total <= available {
        return Ok(());
    }
    Err(anyhow!(
        "the host has too little memory: {} for {total} MiB, and {available} MiB are free",
        match wanted {
            [one] => format!("{} asks", one.node.name),
            many => format!("{} machines ask", many.len()),
        }
    ))
    .hint(fitting(wanted, available))
}

/// The largest worker memory with which everything fits, as the line to write.
fn fitting(wanted: &[Wanted<'_>], available: u64) -> String {
    /// Below this no kubelet is happy; the topology refuses less.
    const LEAST: u64 = 1024;
    const STEP: u64 = 256;
    let (workers, others): (Vec<Wanted<'_>>, Vec<Wanted<'_>>) = wanted
        .iter()
        .partition(|machine| machine.node.role == Role::Worker);
    let installing = wanted.iter().any(|machine| machine.install);
    let least = if installing {
        u64::from(INSTALL_MEMORY)
    } else {
        LEAST
    };
    let fit = |rest: u64, count: usize| -> Option<u64> {
        let each = rest.checked_div(count as u64)?.checked_sub(QEMU_OVERHEAD)?;
        let rounded = each - each % STEP;
        (rounded >= least).then_some(rounded)
    };
    let others_take: u64 = others.iter().map(Wanted::memory).sum();
    if let Some(each) = fit(available.saturating_sub(others_take), workers.len()) {
        return format!("write WORKER_MEM={each} into cluster.env, or stop other programs");
    }
    if let Some(each) = fit(available, wanted.len()) {
        return format!(
            "write WORKER_MEM={each} and CONTROL_PLANE_MEM={each} into cluster.env, or stop other programs"
        );
    }
    if installing {
        return format!(
            "stop other programs, or install one node at a time with `hardway install NODE`: \
             an installation takes {INSTALL_MEMORY} MiB"
        );
    }
    "stop other programs, or take fewer nodes in cluster.json".to_owned()
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

/// Memory that programs can have without swapping, in MiB.
#[cfg(target_os = "linux")]
pub(super) fn available_memory() -> Result<u64> {
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
pub fn available_memory() -> Result<u64> {
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
    let found = rustix::fs::statvfs(folder)
        .with_context(|| format!("cannot ask for the free space of {}", folder.display()))?;
    Ok((found.f_bavail.saturating_mul(found.f_frsize)) >> 30)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::render;
    use crate::topology::{Guest, MacAddress, Machine, NodeName};

    fn node(name: &str, role: Role, memory: u32) -> Node {
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

    fn three(memory: u32) -> [Node; 3] {
        [
            node("alpha", Role::ControlPlane, memory),
            node("gamma", Role::Worker, memory),
            node("sigma", Role::Worker, memory),
        ]
    }

    fn wanted(nodes: &[Node], install: bool) -> Vec<Wanted<'_>> {
        nodes.iter().map(|node| Wanted { node, install }).collect()
    }

    #[test]
    fn names_the_worker_memory_that_fits() {
        let nodes = three(8192);
        let error = compare_memory(&wanted(&nodes, true), 23_000).unwrap_err();
        assert_eq!(
            render(&error),
            "error: the host has too little memory: 3 machines ask for 24960 MiB, and 23000 MiB are free\n\
             hint: write WORKER_MEM=7168 into cluster.env, or stop other programs\n"
        );
        let mut smaller = three(7168);
        smaller[0] = node("alpha", Role::ControlPlane, 8192);
        assert!(compare_memory(&wanted(&smaller, true), 23_000).is_ok());
    }

    #[test]
    fn names_both_memories_where_the_control_plane_is_too_large() {
        let nodes = three(8192);
        let error = compare_memory(&wanted(&nodes, true), 15_000).unwrap_err();
        assert!(
            render(&error).contains("WORKER_MEM=4864 and CONTROL_PLANE_MEM=4864"),
            "{error:?}"
        );
    }

    #[test]
    fn an_installation_takes_4_gib_whatever_the_node_gets_later() {
        let nodes = three(2048);
        let error = compare_memory(&wanted(&nodes, true), 12_000).unwrap_err();
        assert!(render(&error).contains("hardway install NODE"), "{error:?}");
        assert!(compare_memory(&wanted(&nodes, false), 12_000).is_ok());
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
