//! Sizes of machines that fit into the host's memory, where those of cluster.env do not.

use std::fmt::Write as _;

use anyhow::{Result, anyhow};

use super::host::{self, Wanted};
use super::members::listed;
use super::snapshot::{self, Name};
use common::report::Hint;
use common::state::Paths;
use model::topology::{self, CONTROL_PLANE_MEM, Node, NodeName, Role, Topology, WORKER_MEM};
use qemu::argv::INSTALL_MEMORY;
use qemu::process;

/// Sizes are multiples of it, in MiB.
const STEP: u32 = 256;

/// What `nix run .#cluster-up` runs: its user may have no `hardway` on PATH.
pub const CLUSTER_UP: &str = "up --init --verify";

/// With less, in MiB, a worker runs, but has little room for Pods.
const ROOMY: u32 = 2048;

/// A size to write into cluster.env.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    pub key: &'static str,
    /// In MiB.
    pub memory: u32,
    /// In MiB.
    pub before: u32,
}

/// Why machines do not fit into the host's memory, and with what sizes they would.
#[derive(Debug)]
pub struct Shortage {
    pub reason: String,
    /// Empty where no size helps.
    pub sizes: Vec<Size>,
    /// The snapshots that those sizes do not fit, names sorted.
    pub snapshots: Vec<Name>,
    /// Machines that run, whose sizes would change with those of the others.
    held: Vec<NodeName>,
    /// What else would help.
    otherwise: String,
}

/// The shortage where the nodes `install` are to be installed and then the nodes `start` to
/// run; None where the host has room. What runs already is not asked about, unless `start`
/// names it: `up` shuts it down first, which frees what it takes.
pub fn shortage(
    paths: &Paths,
    topology: &Topology,
    install: &[NodeName],
    start: &[NodeName],
) -> Result<Option<Shortage>> {
    let mut wanted = Wanted::all(
        &topology.nodes,
        |node| install.contains(&node.name),
        |node| start.contains(&node.name),
    );
    wanted.retain(|one| one.install || one.start);
    let ends = start.iter().filter_map(|name| process::find(paths, name));
    let resident: u64 = ends
        .filter_map(|running| running.usage())
        .map(|usage| usage.resident)
        .sum();
    let available = host::memory_after(resident / 1024)?;
    between(paths, topology, &wanted, available)
}

/// The same, with `available` MiB.
pub(super) fn between(
    paths: &Paths,
    topology: &Topology,
    wanted: &[Wanted<'_>],
    available: u64,
) -> Result<Option<Shortage>> {
    // A node's own size and the environment's win over cluster.env: such a node keeps its size.
    let least = topology::load_with(
        paths,
        &[
            (CONTROL_PLANE_MEM, least(Role::ControlPlane)),
            (WORKER_MEM, least(Role::Worker)),
        ],
    );
    let memory = |node: &Node| Some(node.guest()?.memory);
    let own = |node: &Node| {
        let least = least.as_ref().ok();
        least.is_some_and(|least| least.node(node.name.as_str()).and_then(memory) == memory(node))
    };
    // A running machine keeps its memory: a snapshot of it with another size noted would
    // never load.
    let held = |node: &&Node| {
        !own(node)
            && !wanted.iter().any(|one| one.node.name == node.name)
            && paths.node(&node.name).installed().is_file()
            && process::find(paths, &node.name).is_some()
    };
    let held: Vec<&Node> = topology.nodes.iter().filter(held).collect();
    let Some(mut shortage) = compare(wanted, available, own, &held) else {
        return Ok(None);
    };
    if !shortage.sizes.is_empty() {
        shortage.snapshots = snapshot::same_topology(paths, topology)?;
    }
    Ok(Some(shortage))
}

/// The same without snapshots. `own` says whose size cluster.env does not set; no size of a
/// role that a node of `held` has changes.
fn compare(
    wanted: &[Wanted<'_>],
    available: u64,
    own: impl Fn(&Node) -> bool,
    held: &[&Node],
) -> Option<Shortage> {
    let fixed =
        |one: &Wanted<'_>| own(one.node) || held.iter().any(|node| node.role == one.node.role);
    let smaller = |level: u32| {
        let fixed = &fixed;
        move |one: &Wanted<'_>| match fixed(one) {
            true => one.memory(),
            false => one.memory().min(level.max(least(one.node.role))),
        }
    };
    let reason = host::lacking(wanted, available, smaller(u32::MAX))?;
    // macOS has no figure for what is free: leave it a quarter of what there is.
    let room = match cfg!(target_os = "macos") {
        true => available / 4 * 3,
        false => available,
    };
    let largest = wanted.iter().map(Wanted::memory).max().unwrap_or_default();
    let mut levels = (1..=largest / STEP).rev().map(|count| count * STEP);
    let level = levels.find(|level| host::lacking(wanted, room, smaller(*level)).is_none());
    let sizes = level.map_or_else(Vec::new, |level| {
        let keys = [
            (CONTROL_PLANE_MEM, Role::ControlPlane),
            (WORKER_MEM, Role::Worker),
        ];
        let sizes = keys.into_iter().filter_map(|(key, role)| {
            let mut of_role = wanted.iter().filter(|one| one.node.role == role);
            let one = of_role.find(|one| smaller(level)(one) != one.memory())?;
            Some(Size {
                key,
                memory: smaller(level)(one),
                before: one.memory(),
            })
        });
        sizes.collect()
    });
    let installing = wanted.iter().any(|one| one.install);
    let otherwise = if !sizes.is_empty() {
        "stop other programs".to_owned()
    } else if installing && available < host::taken(INSTALL_MEMORY) {
        format!(
            "stop other programs until {} MiB are free: an installation takes that much",
            host::taken(INSTALL_MEMORY)
        )
    } else {
        let run = wanted.iter().filter(|one| one.start);
        let sum: u64 = run.map(|one| host::taken(smaller(0)(one))).sum();
        let own = match wanted.iter().any(|one| own(one.node)) {
            true => {
                "; cluster.env does not set the memory of nodes that cluster.json or the environment gives one"
            }
            false => "",
        };
        format!(
            "stop other programs until {sum} MiB are free, or take fewer nodes in cluster.json{own}"
        )
    };
    let of_wanted = |role| {
        wanted
            .iter()
            .any(|one| one.node.role == role && !own(one.node))
    };
    let held = held.iter().filter(|node| of_wanted(node.role));
    Some(Shortage {
        reason,
        sizes,
        snapshots: Vec::new(),
        held: held.map(|node| node.name.clone()).collect(),
        otherwise,
    })
}

/// Less than this, in MiB, the topology refuses.
fn least(role: Role) -> u32 {
    match role {
        Role::ControlPlane => topology::MIN_CONTROL_PLANE_MEMORY,
        Role::Worker => topology::MIN_WORKER_MEMORY,
    }
}

impl Shortage {
    /// As an error. `command`: the one of `hardway` that takes --fit, where one does.
    pub fn error(&self, command: Option<&str>) -> anyhow::Error {
        let hint = match command {
            Some(command) if !self.sizes.is_empty() => {
                let run = match command {
                    CLUSTER_UP => {
                        "run `nix run .#cluster-up -- --fit` (without Nix: `hardway up --fit`)"
                            .to_owned()
                    }
                    command => format!("run `hardway {command} --fit`"),
                };
                let snapshots = match self.snapshots_text() {
                    Some(text) => format!(" ({text})"),
                    None => String::new(),
                };
                format!(
                    "{run}: it writes {} into cluster.env and goes on{snapshots}; or {}",
                    self.settings(),
                    self.otherwise
                )
            }
            Some(command) if !self.held.is_empty() => {
                let command = match command {
                    CLUSTER_UP => "up",
                    command => command,
                };
                format!(
                    "run `hardway down && hardway {command} --fit`: cluster.env sets the memory \
                     of {} too, which must be off for that; or {}",
                    listed(&self.held),
                    self.otherwise
                )
            }
            _ => self.otherwise.clone(),
        };
        anyhow!("{}", self.reason).context(Hint(hint))
    }

    /// `CONTROL_PLANE_MEM=3840 and WORKER_MEM=3840`
    fn settings(&self) -> String {
        let words = self
            .sizes
            .iter()
            .map(|size| format!("{}={}", size.key, size.memory));
        words.collect::<Vec<_>>().join(" and ")
    }

    fn snapshots_text(&self) -> Option<String> {
        let names: Vec<&str> = self.snapshots.iter().map(Name::as_str).collect();
        (!names.is_empty()).then(|| {
            format!(
                "snapshots that you cannot restore with these sizes: {}",
                names.join(", ")
            )
        })
    }

    /// What --fit does, as it follows "would".
    pub fn step(&self) -> String {
        let step = format!("write {} into cluster.env", self.settings());
        match self.snapshots_text() {
            Some(text) => format!("{step} ({text})"),
            None => step,
        }
    }

    /// A line for each size, one where a worker gets little, and one for the snapshots that
    /// the sizes do not fit.
    pub fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self
            .sizes
            .iter()
            .map(|size| format!("{}={} (now {})", size.key, size.memory, size.before))
            .collect();
        if self
            .sizes
            .iter()
            .any(|size| size.key == WORKER_MEM && size.memory < ROOMY)
        {
            lines.push("a worker this small has room for only a few small Pods".to_owned());
        }
        lines.extend(self.snapshots_text());
        lines
    }

    /// Writes the sizes into cluster.env, and says so.
    pub fn write(&self, paths: &Paths) -> Result<String> {
        topology::write_settings(paths, &self.settings_list())?;
        let mut text = format!("wrote into {}:\n", paths.cluster_env().display());
        for size in &self.sizes {
            let _ = writeln!(text, "  {}={} (was {})", size.key, size.memory, size.before);
        }
        if let Some(line) = self.snapshots_text() {
            let _ = writeln!(text, "{line}");
        }
        Ok(text)
    }

    /// The sizes as cluster.env's settings.
    pub fn settings_list(&self) -> Vec<(&'static str, u32)> {
        let pairs = self.sizes.iter().map(|size| (size.key, size.memory));
        pairs.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::host::tests::{node, three, wanted};
    use super::*;
    use common::report::render;

    fn said(wanted: &[Wanted<'_>], available: u64) -> String {
        let shortage = compare(wanted, available, |_| false, &[]).unwrap();
        render(&shortage.error(Some("up")))
    }

    /// 16 GB of which 12 are free: every machine the same, and what is left over is little.
    #[test]
    fn every_machine_gets_the_same() {
        let nodes = three(8192);
        assert_eq!(
            said(&wanted(&nodes, true), 12_288),
            "error: the host has too little memory: 3 machines ask for 24960 MiB, and 12288 MiB are free\n\
             hint: run `hardway up --fit`: it writes CONTROL_PLANE_MEM=3840 and WORKER_MEM=3840 into \
             cluster.env and goes on; or stop other programs\n"
        );
        let fitting = three(3840);
        assert!(compare(&wanted(&fitting, true), 12_288, |_| false, &[]).is_none());
        // What is smaller already stays as it is.
        let mut nodes = three(8192);
        nodes[0] = node("alpha", Role::ControlPlane, 3072);
        assert!(
            said(&wanted(&nodes, true), 12_288).contains("writes WORKER_MEM=4352 into"),
            "{}",
            said(&wanted(&nodes, true), 12_288)
        );
    }

    /// 8 GB, of which 6 or 5 are free: what must be, and the truth about less.
    #[test]
    fn a_small_host() {
        let nodes = three(8192);
        let small = compare(&wanted(&nodes, true), 6000, |_| false, &[]).unwrap();
        assert_eq!(
            small.lines(),
            [
                "CONTROL_PLANE_MEM=2048 (now 8192)",
                "WORKER_MEM=1536 (now 8192)",
                "a worker this small has room for only a few small Pods",
            ]
        );
        assert_eq!(
            said(&wanted(&nodes, true), 4400),
            "error: the host has too little memory: 3 machines ask for 24960 MiB, and 4400 MiB are free\n\
             hint: stop other programs until 4480 MiB are free, or take fewer nodes in cluster.json\n"
        );
        assert_eq!(
            said(&wanted(&nodes[..1], true), 4000),
            "error: the host has too little memory: alpha asks for 8320 MiB, and 4000 MiB are free\n\
             hint: stop other programs until 4224 MiB are free: an installation takes that much\n"
        );
    }

    /// Machines that run already have their memory: only the others are asked about.
    #[test]
    fn only_what_is_to_start() {
        let nodes = three(8192);
        assert_eq!(
            said(&wanted(&nodes[1..], false), 9000),
            "error: the host has too little memory: 2 machines ask for 16640 MiB, and 9000 MiB are free\n\
             hint: run `hardway up --fit`: it writes WORKER_MEM=4352 into cluster.env and goes on; or \
             stop other programs\n"
        );
    }

    #[test]
    fn a_node_that_sets_its_own_memory_keeps_it() {
        let nodes = three(8192);
        let own = |node: &Node| node.name.as_str() == "gamma";
        let shortage = compare(&wanted(&nodes, false), 16_000, own, &[]).unwrap();
        assert_eq!(
            shortage.settings(),
            "CONTROL_PLANE_MEM=3584 and WORKER_MEM=3584"
        );
        let shortage = compare(&wanted(&nodes, false), 9000, own, &[]).unwrap();
        assert_eq!(
            render(&shortage.error(Some("up"))),
            "error: the host has too little memory: 3 machines ask for 24960 MiB, and 9000 MiB are free\n\
             hint: stop other programs until 11648 MiB are free, or take fewer nodes in cluster.json; \
             cluster.env does not set the memory of nodes that cluster.json or the environment gives one\n"
        );
    }

    /// Installing takes 4 GiB whatever the node gets later, but one after the other will do.
    #[test]
    fn installations_need_not_be_at_once() {
        let nodes = three(2048);
        let install = wanted(&nodes, true);
        assert!(compare(&install, 7000, |_| false, &[]).is_none());
        assert_eq!(host::installs_at_once(&install, 7000), 1);
        assert_eq!(host::installs_at_once(&install, 12_288), 2);
        assert_eq!(host::installs_at_once(&install, 24_000), 3);
        assert_eq!(host::installs_at_once(&install, 100), 1);
    }
}
