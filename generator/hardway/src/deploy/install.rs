//! Installs one node from a live medium: a fresh overlay on the base, the two tarballs,
//! and scripts/install.exp, which talks to the machine over its serial console.

pub mod base;
mod expect;

use std::ffi::OsString;
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result, anyhow};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use zeroize::Zeroizing;

use self::base::Base;
use super::{Medium, tarball};
use crate::runtime;
use common::file;
use qemu::disk::{self, Content};
use qemu::{Host, argv, process};

use common::report::WithHint;
use common::state::{NodePaths, Paths};
use model::plan::{NodePlan, Plan, node_address};
use model::topology::{Node, NodeName, Topology};

/// `installed.json`, written last: a node without it is installed from scratch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Installed {
    /// The medium's volume label.
    pub medium: String,
    pub medium_sha256: String,
    /// Of the tarball that became /etc/hardway.
    pub flake_sha256: String,
    /// Of the tarball that became /var/lib/hardway/pki.
    pub keys_sha256: String,
    /// The base that the disk is an overlay on; none where it stands alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<Base>,
    /// The public half of the key that its sshd is known by; none in what was installed
    /// before there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssh_host_key: Option<String>,
    /// Nix' name of the system, e.g. `x86_64-linux`.
    pub system: String,
    /// When, in RFC 3339.
    pub finished: String,
    /// The node's InternalIP, which it keeps.
    #[serde(default)]
    pub address: Option<Ipv4Addr>,
}

/// What travels to a node.
pub(crate) struct Tarballs {
    pub(crate) flake: Vec<u8>,
    pub(crate) keys: Zeroizing<Vec<u8>>,
}

impl Tarballs {
    pub(crate) fn pack(
        paths: &Paths,
        topology: &Topology,
        plan: &Plan,
        node: &Node,
    ) -> Result<Self> {
        let plan = plan_of(plan, node)?;
        Ok(Self {
            flake: tarball::flake(topology, node, plan)?,
            keys: tarball::keys(&pki::node_files(plan, paths)?)?,
        })
    }

    pub(crate) fn flake_sha256(&self) -> String {
        hex::encode(Sha256::digest(&self.flake))
    }

    pub(crate) fn keys_sha256(&self) -> String {
        hex::encode(Sha256::digest(&self.keys))
    }
}

/// What install.exp is given.
struct Input<'a> {
    /// None where the base itself is made.
    node: Option<&'a str>,
    /// The base's name.
    base: &'a str,
    flake: &'a [u8],
    keys: Option<&'a [u8]>,
}

impl Input<'_> {
    #[allow(clippy::too_many_arguments)] // each is a thing of its own, and there are two callers
    fn install(
        &self,
        host: &Host,
        paths: &Paths,
        files: &NodePaths,
        medium: &Medium,
        qemu: Vec<OsString>,
        on_stage: &(dyn Fn(&str) + Sync),
        cancelled: &AtomicBool,
    ) -> Result<()> {
        let sha256 = |bytes: &[u8]| hex::encode(Sha256::digest(bytes));
        let run = expect::Run {
            program: expect::find()?,
            runtime: paths.create_runtime()?,
            node: self.node,
            base: self.base,
            log: files.install_log(),
            scale: host.patience(),
            self_contained: medium.self_contained,
            flake_sha256: sha256(self.flake),
            keys_sha256: self.keys.map(sha256),
            qemu,
        };
        run.run(&self.lines(), on_stage, cancelled)
    }

    /// install.exp's standard input: each in base64, lines of 76, an empty line.
    fn lines(&self) -> Zeroizing<String> {
        let tarballs = || [Some(self.flake), self.keys].into_iter().flatten();
        let length: usize = tarballs().map(<[u8]>::len).sum();
        let mut text = Zeroizing::new(String::with_capacity(length * 3 / 2 + 256));
        // 57 bytes are 76 characters.
        for tarball in tarballs() {
            for line in tarball.chunks(57) {
                BASE64_STANDARD.encode_string(line, &mut text);
                text.push('\n');
            }
            text.push('\n');
        }
        text
    }
}

fn plan_of<'a>(plan: &'a Plan, node: &Node) -> Result<&'a NodePlan> {
    plan.nodes
        .iter()
        .find(|planned| planned.name == node.name)
        .with_context(|| format!("the plan has no node {}", node.name))
}

/// Fails where no node can be installed: told once, before several begin.
pub fn requirements(host: &Host, medium: &Medium) -> Result<()> {
    if medium.arch != host.arch {
        return Err(anyhow!(
            "{} is for {}, and the cluster's machines are {}",
            medium.iso.display(),
            medium.arch,
            host.arch
        ))
        .hint(format!("name a medium for {} with --iso PATH", host.arch));
    }
    expect::find().map(drop)
}

/// Installs `node` on a fresh overlay on `base`; what was on the old disk is lost. `on_stage`
/// hears each stage's name as it begins. Once `cancelled` is set the machine is
/// stopped and the error has exit code 130.
#[allow(clippy::too_many_arguments)] // each is a thing of its own, and there are two callers
pub fn install(
    host: &Host,
    paths: &Paths,
    topology: &Topology,
    plan: &Plan,
    node: &Node,
    medium: &Medium,
    base: &Base,
    on_stage: &(dyn Fn(&str) + Sync),
    cancelled: &AtomicBool,
) -> Result<()> {
    let files = paths.node(&node.name);
    files.create()?;
    remove_record(paths, node)?;
    let tarballs = Tarballs::pack(paths, topology, plan, node)?;
    disk::create(
        &host.qemu,
        host.arch,
        &host.firmware,
        &files,
        Content::Overlay(&base.from_node()),
    )?;
    let input = Input {
        node: Some(node.name.as_str()),
        base: &base.name,
        flake: &tarballs.flake,
        keys: Some(&tarballs.keys),
    };
    let qemu = machine(host, paths, topology, node, medium)?;
    input
        .install(host, paths, &files, medium, qemu, on_stage, cancelled)
        .with_context(|| format!("cannot install {}", node.name))?;
    sync(&files.disk())?;
    process::save_command_line(host, paths, &runtime::machine(topology, node)?, None)?;
    let record = Installed {
        medium: medium.label.clone(),
        medium_sha256: medium.sha256.clone(),
        flake_sha256: tarballs.flake_sha256(),
        keys_sha256: tarballs.keys_sha256(),
        base: Some(base.clone()),
        ssh_host_key: pki::ssh_host(paths, &node.name)?,
        system: host.arch.nix_system().to_owned(),
        finished: OffsetDateTime::now_utc().format(&Rfc3339)?,
        address: Some(node_address(topology, node)),
    };
    write_record(paths, &node.name, &record)
}

/// The command line of the machine that installs `node`.
pub fn machine(
    host: &Host,
    paths: &Paths,
    topology: &Topology,
    node: &Node,
    medium: &Medium,
) -> Result<Vec<OsString>> {
    argv::install(
        host,
        &paths.node(&node.name),
        &runtime::machine(topology, node)?,
        &medium.live(),
    )
    .map(failing_writes)
}

/// A full host must fail the guest's writes: by default QEMU stops the guest, which then
/// waits until the stage's limit.
fn failing_writes(mut qemu: Vec<OsString>) -> Vec<OsString> {
    qemu.extend(["-global".into(), "virtio-blk-device.werror=report".into()]);
    qemu
}

/// QEMU flushed nothing (see argv.rs): a power cut must not leave a record of a disk that
/// is not there.
fn sync(disk: &Path) -> Result<()> {
    fs::File::open(disk)
        .and_then(|disk| disk.sync_all())
        .with_context(|| format!("cannot write {} to disk", disk.display()))
}

/// What a node was installed with; None where an installation is missing or broke off.
pub fn installed(paths: &Paths, node: &Node) -> Option<Installed> {
    record(paths, &node.name)
}

/// The same of a node that cluster.json may no longer have.
pub fn record(paths: &Paths, node: &NodeName) -> Option<Installed> {
    let text = fs::read_to_string(paths.node(node).installed()).ok()?;
    serde_json::from_str(&text).ok()
}

/// Whether `node` was installed with other files than it would be now.
pub fn drift(paths: &Paths, topology: &Topology, plan: &Plan, node: &Node) -> Result<bool> {
    let differs = differences(paths, topology, plan, node)?;
    Ok(differs.flake || differs.keys)
}

/// The same of its keys alone.
pub fn keys_drift(paths: &Paths, topology: &Topology, plan: &Plan, node: &Node) -> Result<bool> {
    Ok(differences(paths, topology, plan, node)?.keys)
}

/// Which of its two tarballs would be another one now.
#[derive(Default)]
struct Differences {
    flake: bool,
    keys: bool,
}

fn differences(
    paths: &Paths,
    topology: &Topology,
    plan: &Plan,
    node: &Node,
) -> Result<Differences> {
    let Some(installed) = installed(paths, node) else {
        return Ok(Differences::default());
    };
    let tarballs = Tarballs::pack(paths, topology, plan, node)?;
    Ok(Differences {
        flake: tarballs.flake_sha256() != installed.flake_sha256,
        keys: tarballs.keys_sha256() != installed.keys_sha256,
    })
}

/// Notes that `node` runs what is in `tarballs`, after a change of what was installed.
pub(crate) fn applied(paths: &Paths, node: &Node, tarballs: &Tarballs) -> Result<()> {
    let Some(before) = Generation::of(paths, node) else {
        return Ok(());
    };
    let now = Generation {
        flake_sha256: tarballs.flake_sha256(),
        keys_sha256: tarballs.keys_sha256(),
        ssh_host_key: pki::ssh_host(paths, &node.name)?,
        ..before
    };
    now.note(paths, &node.name)
}

/// What a node runs, as far as it is not of its installation alone: `hardway apply` changes
/// it, and a snapshot brings it back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Generation {
    pub flake_sha256: String,
    pub keys_sha256: String,
    /// None also in what was written down before there was this field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssh_host_key: Option<String>,
    /// When it was installed: an installation anew has no snapshot on its disk.
    pub installed: String,
}

impl Generation {
    /// None where the node is not installed.
    pub(crate) fn of(paths: &Paths, node: &Node) -> Option<Self> {
        let found = installed(paths, node)?;
        Some(Self {
            flake_sha256: found.flake_sha256,
            keys_sha256: found.keys_sha256,
            ssh_host_key: found.ssh_host_key,
            installed: found.finished,
        })
    }

    /// Notes that `node` runs this.
    pub(crate) fn note(&self, paths: &Paths, node: &NodeName) -> Result<()> {
        let Some(before) = record(paths, node) else {
            return Ok(());
        };
        let now = Installed {
            flake_sha256: self.flake_sha256.clone(),
            keys_sha256: self.keys_sha256.clone(),
            ssh_host_key: self.ssh_host_key.clone().or(before.ssh_host_key.clone()),
            ..before.clone()
        };
        if now == before {
            return Ok(());
        }
        write_record(paths, node, &now)
    }
}

fn remove_record(paths: &Paths, node: &Node) -> Result<()> {
    let file = paths.node(&node.name).installed();
    match fs::remove_file(&file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", file.display()))
        }
        _ => Ok(()),
    }
}

fn write_record(paths: &Paths, node: &NodeName, record: &Installed) -> Result<()> {
    let text = format!("{}\n", serde_json::to_string_pretty(record)?);
    let path = paths.node(node).installed();
    file::replace(&path, text.as_bytes(), file::PRIVATE)
}
