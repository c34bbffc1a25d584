//! `hardway status`: machines, API server and Nodes at a glance, without the lock
//! and within two seconds, so that it answers while `up` works.

use std::fmt::Write;
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use super::api::Client;
use super::nodes::{self, Registered};
use crate::machine::process;
use crate::pki;
use crate::state::Paths;
use crate::topology::{Node, Topology};

/// How long the API server may take for each of two answers.
const LIMIT: Duration = Duration::from_millis(900);

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    pub cluster: String,
    /// The administrator's kubeconfig, once there is one.
    pub kubeconfig: Option<String>,
    pub api: Api,
    pub nodes: Vec<NodeStatus>,
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
    Running,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeStatus {
    pub name: String,
    pub role: String,
    pub machine: Machine,
    /// QEMU's process.
    pub pid: Option<i32>,
    /// What the API server knows of it; a control plane without a kubelet is no Node.
    pub node: Option<Registered>,
}

impl Status {
    /// Whether anything has been made yet.
    pub fn exists(&self) -> bool {
        self.nodes
            .iter()
            .any(|node| node.machine != Machine::NotInstalled)
    }
}

/// Looks, changes nothing, waits for nobody.
pub fn status(paths: &Paths, topology: &Topology) -> Status {
    let nodes = topology.nodes.iter();
    let mut all: Vec<NodeStatus> = nodes.map(|node| machine(paths, node)).collect();
    let runs = all.iter().any(|node| node.machine == Machine::Running);
    let (ready, reason) = if runs {
        match ask(paths, topology) {
            Ok(registered) => {
                for node in &mut all {
                    node.node = registered
                        .iter()
                        .find(|found| found.name == node.name)
                        .cloned();
                }
                (true, None)
            }
            Err(error) => (false, Some(format!("{:#}", error.root_cause()))),
        }
    } else {
        (false, Some("no machine runs".to_owned()))
    };
    let kubeconfig = paths.kubeconfig();
    Status {
        cluster: topology.name.clone(),
        kubeconfig: kubeconfig
            .is_file()
            .then(|| kubeconfig.display().to_string()),
        api: Api {
            url: format!("https://127.0.0.1:{}", topology.api_port),
            ready,
            reason,
        },
        nodes: all,
    }
}

fn machine(paths: &Paths, node: &Node) -> NodeStatus {
    let installed = paths.node(&node.name).installed().is_file();
    let running = process::find(paths, &node.name);
    NodeStatus {
        name: node.name.to_string(),
        role: node.role.to_string(),
        machine: match (&running, installed) {
            (Some(_), true) => Machine::Running,
            (Some(_), false) => Machine::Installing,
            (None, true) => Machine::Stopped,
            (None, false) => Machine::NotInstalled,
        },
        pid: running.map(|running| running.pid()),
        node: None,
    }
}

fn ask(paths: &Paths, topology: &Topology) -> Result<Vec<Registered>> {
    let client = Client::new(topology.api_port, &pki::admin_identity(paths)?, LIMIT)?;
    client.text("/readyz")?;
    nodes::list(&client)
}

/// The table that people read.
pub fn table(status: &Status) -> String {
    let mut rows =
        vec![["NODE", "ROLE", "MACHINE", "READY", "VERSION", "INTERNAL-IP"].map(String::from)];
    for node in &status.nodes {
        let found = node.node.as_ref();
        rows.push([
            node.name.clone(),
            node.role.clone(),
            match node.machine {
                Machine::NotInstalled => "not installed".to_owned(),
                Machine::Installing => "installing".to_owned(),
                Machine::Stopped => "stopped".to_owned(),
                Machine::Running => "running".to_owned(),
            },
            match found {
                Some(found) if found.ready => "yes".to_owned(),
                Some(_) => "no".to_owned(),
                None => "-".to_owned(),
            },
            found.map_or("-".to_owned(), |found| found.version.clone()),
            found.map_or("-".to_owned(), |found| found.internal_ips.join(",")),
        ]);
    }
    let mut text = format!(
        "{}: API {} {}\n",
        status.cluster,
        status.api.url,
        match &status.api.reason {
            None => "ready".to_owned(),
            Some(reason) => format!("not ready: {reason}"),
        }
    );
    let widths: Vec<usize> = (0..6)
        .map(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or(0))
        .collect();
    for row in rows {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        let _ = writeln!(text, "{}", cells.join("  ").trim_end());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_like_a_table() {
        let node = |name: &str, role: &str, machine, node| NodeStatus {
            name: name.into(),
            role: role.into(),
            machine,
            pid: None,
            node,
        };
        let status = Status {
            cluster: "hardway".into(),
            kubeconfig: None,
            api: Api {
                url: "https://127.0.0.1:6443".into(),
                ready: true,
                reason: None,
            },
            nodes: vec![
                node("alpha", "control-plane", Machine::Running, None),
                node(
                    "sigma",
                    "worker",
                    Machine::Running,
                    Some(Registered {
                        name: "sigma".into(),
                        ready: true,
                        reason: None,
                        version: "v1.36.3".into(),
                        internal_ips: vec!["10.240.0.21".into()],
                        pod_cidr: None,
                        boot_id: String::new(),
                    }),
                ),
                node("gamma", "worker", Machine::NotInstalled, None),
            ],
        };
        assert_eq!(
            table(&status),
            "\
hardway: API https://127.0.0.1:6443 ready
NODE   ROLE           MACHINE        READY  VERSION  INTERNAL-IP
alpha  control-plane  running        -      -        -
sigma  worker         running        yes    v1.36.3  10.240.0.21
gamma  worker         not installed  -      -        -
"
        );
    }
}
