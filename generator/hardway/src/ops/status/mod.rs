//! `hardway status`: machines, units, Nodes and addons at a glance, without the lock, so
//! that it answers while `up` works.
//!
//! Everything is asked at once. What says nothing within two seconds is silent; what has
//! begun to answer is waited for, since a host that is busy makes everything slow. It changes
//! one thing: a guest's clock that is behind, as after the host has slept, is set.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Serialize;

use self::addons::Addon;
use self::advice::Problem;
use super::at_once::at_once;
use super::lock;
use super::members::{self, Leftover};
use super::nodes::Registered;
use common::state::Paths;
use model::plan::{self, NodePlan};
use model::topology::{Cni, Node, Role, Topology};
use qemu::process;

mod addons;
mod advice;
mod api;
mod guest;
mod text;

pub use text::text;

/// How long the first word of what is asked may take.
const FIRST: Duration = Duration::from_millis(1700);
/// How long all of it may take where a first word came: an emulated guest that shares its
/// processor with others needs several times what it needs alone.
const LIMIT: Duration = Duration::from_secs(15);

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    pub cluster: String,
    /// The administrator's kubeconfig, once there is one.
    pub kubeconfig: Option<String>,
    pub api: Api,
    pub nodes: Vec<NodeStatus>,
    /// Machines that cluster.json no longer has.
    pub leftovers: Vec<Leftover>,
    /// What runs in the cluster for the cluster; none while the API server does not answer.
    pub addons: Vec<Addon>,
    /// What is wrong, and what to type.
    pub problems: Vec<Problem>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Api {
    pub url: String,
    pub ready: bool,
    /// Why it is not ready.
    pub reason: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Machine {
    NotInstalled,
    Installing,
    Stopped,
    /// It has ended without being shut down.
    Died,
    Running,
    /// QEMU is there, and the guest stands still.
    Paused,
    /// A machine of the user's own, which is not looked into.
    Own,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeStatus {
    pub name: String,
    pub role: String,
    pub machine: Machine,
    /// QEMU's process.
    pub pid: Option<i32>,
    /// systemd's word on each unit of the node's components, where the guest agent answers.
    pub units: Option<BTreeMap<String, String>>,
    /// Why a running guest says nothing.
    pub silent: Option<String>,
    /// It answers, and was too busy to tell its units in time.
    pub busy: bool,
    /// Its sockets are gone, so that it can't be asked.
    pub unreachable: bool,
    #[serde(skip)]
    remedy: Option<&'static str>,
    /// It boots next into another configuration than the one that it runs.
    pub boot_pending: bool,
    /// Units that have failed and are not this program's.
    pub failed: Vec<String>,
    /// A clock that was found behind the host's.
    pub clock: Option<Clock>,
    /// What the API server knows of it; a control plane without a kubelet is no Node.
    pub node: Option<Registered>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Clock {
    pub behind_seconds: u64,
    /// Whether it could be set right.
    pub set: bool,
}

impl Status {
    /// Whether anything has been made yet.
    pub fn exists(&self) -> bool {
        let made = |node: &NodeStatus| match node.machine {
            Machine::NotInstalled => false,
            Machine::Own => self.kubeconfig.is_some(),
            _ => true,
        };
        self.nodes.iter().any(made) || !self.leftovers.is_empty()
    }
}

/// Looks, and waits for nobody.
pub fn status(paths: &Paths, topology: &Topology) -> Status {
    let plan = plan::plan(topology);
    let start = Instant::now();
    let (first, end) = (start + FIRST, start + LIMIT);
    let control_plane_runs = topology.remote().is_some()
        || topology
            .control_planes()
            .any(|node| process::find(paths, &node.name).is_some());
    let api = control_plane_runs.then(|| api::Asked::begin(paths, topology, end));
    let pairs = || topology.nodes.iter().zip(&plan.nodes);
    let mut nodes = at_once(pairs(), |(node, plan)| {
        machine(paths, node, plan, first, end)
    });
    let speaks = |node: &NodeStatus| {
        node.role == Role::ControlPlane.to_string() && node.pid.is_some() && node.silent.is_none()
    };
    let patient = nodes.iter().any(speaks);
    let answer = api.map(|asked| asked.wait(if patient { end } else { first }));
    if let Some(answer) = &answer {
        for node in &mut nodes {
            let mut registered = answer.registered.iter();
            node.node = registered.find(|found| found.name == node.name).cloned();
        }
        // A guest whose kubelet was heard of just now is slow, and neither starts nor hangs.
        let lives = |node: &NodeStatus| {
            let ready = node.node.as_ref().is_some_and(|node| node.ready);
            node.machine == Machine::Running && node.silent.is_some() && !node.unreachable && ready
        };
        let slow = pairs().zip(&mut nodes).filter(|(_, status)| lives(status));
        at_once(slow, |((node, plan), status)| {
            if let Some(running) = process::find(paths, &node.name) {
                guest::ask(&running, plan, end, end, status);
            }
        });
    }
    let (ready, reason, addons) = match answer {
        None => {
            let runs = nodes.iter().any(|node| node.pid.is_some());
            let what = if runs {
                "no control plane"
            } else {
                "no machine"
            };
            (false, Some(format!("{what} runs")), Vec::new())
        }
        Some(answer) => (answer.reason.is_none(), answer.reason, answer.addons),
    };
    let kubeconfig = paths.kubeconfig();
    let mut status = Status {
        cluster: topology.name.clone(),
        kubeconfig: kubeconfig
            .is_file()
            .then(|| kubeconfig.display().to_string()),
        api: Api {
            url: format!("https://127.0.0.1:{}", topology.api_port),
            ready,
            reason,
        },
        nodes,
        leftovers: members::leftovers(paths, topology).unwrap_or_default(),
        addons,
        problems: Vec::new(),
    };
    if status.exists() {
        status.problems = advice::problems(&status, paths, topology);
    }
    status
}

/// The addons that a cluster has.
fn expected(topology: &Topology) -> &'static [addons::Kind] {
    match topology.cni {
        Cni::Bridge => &[addons::Kind::CoreDns],
        Cni::Cilium => &[addons::Kind::CoreDns, addons::Kind::Cilium],
    }
}

fn unknown(node: &Node) -> NodeStatus {
    NodeStatus {
        name: node.name.to_string(),
        role: node.role.to_string(),
        machine: Machine::Own,
        pid: None,
        units: None,
        silent: None,
        busy: false,
        unreachable: false,
        remedy: None,
        boot_pending: false,
        failed: Vec::new(),
        clock: None,
        node: None,
    }
}

fn machine(
    paths: &Paths,
    node: &Node,
    plan: &NodePlan,
    first: Instant,
    end: Instant,
) -> NodeStatus {
    let mut status = unknown(node);
    if node.remote().is_some() {
        return status;
    }
    let files = paths.node(&node.name);
    let installed = files.installed().is_file();
    let running = process::find(paths, &node.name);
    status.pid = running.as_ref().map(process::Running::pid);
    status.machine = match (&running, installed) {
        (Some(_), true) => Machine::Running,
        (Some(_), false) => Machine::Installing,
        // QEMU removes its process id's file when it ends in order.
        (None, true) if files.qemu_pid().is_file() => Machine::Died,
        (None, true) => Machine::Stopped,
        (None, false) => Machine::NotInstalled,
    };
    let Some(running) = running.filter(|_| installed) else {
        return status;
    };
    // A machine that `up` starts in this moment has no sockets yet.
    let lost = running.lost_sockets();
    if let Some(lost) = lost.filter(|_| lock::check(paths).is_ok()) {
        status.unreachable = true;
        status.silent = Some(lost.to_string());
        status.remedy = Some(lost.remedy());
        return status;
    }
    guest::ask(&running, plan, first, end, &mut status);
    status
}
