//! Sizes of machines: who wins (a node's own field, the environment, cluster.env,
//! `machines`), and what is too little.

use std::collections::HashMap;

use super::check::Checker;
use super::env::{self, Setting};
use super::input;
use super::nodes::Draft;
use super::read::member;
use super::types::Role;

/// MiB. etcd and the API server hold about 1 GiB between them in an idle cluster;
/// below this the kernel kills one of them.
pub const MIN_CONTROL_PLANE_MEMORY: u32 = 2048;
/// MiB. A kubelet evicts Pods when less than 100 MiB are free, and takes the
/// system's own use as given.
pub const MIN_WORKER_MEMORY: u32 = 1024;

/// What a virtual machine has.
pub(super) struct Size {
    pub(super) memory: u32,
    pub(super) cpus: u16,
    pub(super) disk: u32,
}

/// The size of a node's machine; a value that is too small is noted at its own place.
pub(super) fn machine(
    checker: &mut Checker<'_>,
    input: &input::Cluster,
    settings: &HashMap<&'static str, Setting>,
    draft: &Draft<'_>,
) -> Size {
    let machines = &input.machines;
    // A node whose role could not be read is held to the lower limit.
    let (of_role, general, memory_key, cpus_key, least) = match draft.input.role {
        Some(Role::ControlPlane) => (
            "machines.controlPlane",
            &machines.control_plane,
            env::CONTROL_PLANE_MEM,
            env::CONTROL_PLANE_CPUS,
            MIN_CONTROL_PLANE_MEMORY,
        ),
        _ => (
            "machines.worker",
            &machines.worker,
            env::WORKER_MEM,
            env::WORKER_CPUS,
            MIN_WORKER_MEMORY,
        ),
    };
    let who = match draft.input.role {
        Some(Role::ControlPlane) => "etcd and the API server",
        _ => "a kubelet and its Pods",
    };
    let mut size = |field: &str, own: Option<u32>, key: &str, general: (&str, u32)| {
        let path = member(&draft.path, field);
        let (number, place, subject) = match (own, settings.get(key)) {
            (Some(own), _) => (own, checker.document.place(&path), path),
            (None, Some(setting)) => (setting.number, setting.place, key.to_owned()),
            (None, None) => {
                let path = member(general.0, field);
                (general.1, checker.document.place(&path), path)
            }
        };
        let (low, high, unit, why) = match field {
            "memory" => (least, u32::MAX, " MiB of memory", format!(" for {who}")),
            "cpus" => (
                input::MIN_CPUS,
                input::MAX_CPUS,
                " processors",
                String::new(),
            ),
            _ => (input::MIN_DISK, u32::MAX, " GiB of disk", String::new()),
        };
        if number < low && !checker.document.is_bad(&subject) {
            let reason = format!("{number}{unit} is too little{why}");
            checker.problem_at(place, &subject, reason, format!("write {low} or more"));
        } else if number > high {
            let reason = format!("{number}{unit} is more than QEMU gives a machine");
            checker.problem_at(place, &subject, reason, format!("write {high} or less"));
        }
        number
    };
    let memory = size(
        "memory",
        draft.input.memory,
        memory_key,
        (of_role, general.memory),
    );
    let cpus = size("cpus", draft.input.cpus, cpus_key, (of_role, general.cpus));
    let disk = size(
        "disk",
        draft.input.disk,
        env::DISK_SIZE,
        ("machines", machines.disk),
    );
    Size {
        memory,
        cpus: u16::try_from(cpus).unwrap_or(u16::MAX),
        disk,
    }
}
