//! The snapshots inside one machine's two images, its disk and its UEFI variables:
//! over QMP while the machine runs, memory and devices included, else with qemu-img.
//!
//! Reference: QEMU's docs/interop/qemu-qmp-ref, snapshot-save; docs/interop/qcow2.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use serde::Deserialize;
use serde_json::{Value, json};

use super::disk::{images_program, qemu_img};
use super::process;
use super::qmp::Qmp;
use crate::report::WithHint;
use crate::state::Paths;
use crate::topology::NodeName;

/// The images' names as block nodes (see argv.rs). The first holds the memory.
const NAMES: [&str; 2] = ["disk", "variables"];

/// How long QEMU may work on one snapshot: it writes or reads a guest's whole memory.
const LIMIT: Duration = Duration::from_secs(600);
const DYING: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(20);

/// A machine's images, and the way to them.
#[derive(Debug)]
pub struct Images {
    paths: Paths,
    node: NodeName,
    /// QEMU's answers, while it runs. It serves nobody else meanwhile.
    qmp: Option<Qmp>,
    qemu: PathBuf,
    files: [PathBuf; 2],
}

/// Where a snapshot of some name is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    Nowhere,
    /// In one image alone: someone removed the other.
    Half,
    /// In both, without a memory.
    Disks,
    /// In both, and a running machine's memory with it.
    Memory,
}

impl Images {
    /// `qemu`: whose qemu-img works on the images of a machine that is off.
    pub fn of(qemu: &Path, paths: &Paths, node: &NodeName) -> Result<Self> {
        let files = paths.node(node);
        Ok(Self {
            paths: paths.clone(),
            node: node.clone(),
            qmp: process::find(paths, node)
                .map(|running| running.qmp())
                .transpose()?,
            qemu: qemu.to_owned(),
            files: [files.disk(), files.firmware_variables()],
        })
    }

    pub fn running(&self) -> bool {
        self.qmp.is_some()
    }

    /// What works on each image of a machine that is off, after the image's name:
    /// `action` as qemu-img's `snapshot` has it, e.g. `-c` for a new one.
    pub fn commands(&self, action: &str, tag: &str) -> Result<[(&'static str, Vec<OsString>); 2]> {
        let program = images_program(&self.qemu)?;
        let command = |file: &Path| {
            let mut command = vec![program.clone().into()];
            command.extend(arguments(action, tag, file));
            command
        };
        let [disk, variables] = self.files.each_ref().map(|file| command(file));
        Ok([("disk", disk), ("UEFI variables", variables)])
    }

    /// Looks again whether the machine runs: QEMU may have died, or been started, since.
    pub fn look_again(&mut self) -> Result<()> {
        if let Some(qmp) = &mut self.qmp {
            if qmp.execute("query-status", &json!({})).is_ok() {
                return Ok(());
            }
            self.qmp = None;
        }
        // A killed QEMU holds its images until its memory is given back.
        let deadline = Instant::now() + DYING;
        while let Some(running) = process::find(&self.paths, &self.node) {
            match running.qmp() {
                Ok(qmp) => {
                    self.qmp = Some(qmp);
                    return Ok(());
                }
                Err(error) if Instant::now() >= deadline => return Err(error),
                Err(_) => sleep(PAUSE),
            }
        }
        Ok(())
    }

    /// Stops the guest's processors. Nothing where the machine is off.
    pub fn pause(&mut self) -> Result<()> {
        match &mut self.qmp {
            Some(qmp) => qmp.execute("stop", &json!({})).map(drop),
            None => Ok(()),
        }
    }

    /// The guest's processors go on. Nothing where the machine is off.
    pub fn resume(&mut self) -> Result<()> {
        match &mut self.qmp {
            Some(qmp) => qmp.execute("cont", &json!({})).map(drop),
            None => Ok(()),
        }
    }

    /// Saves the machine as it is now; with its memory where it runs.
    pub fn save(&mut self, tag: &str) -> Result<()> {
        match &mut self.qmp {
            Some(qmp) => job(
                qmp,
                "snapshot-save",
                json!({ "tag": tag, "vmstate": NAMES[0], "devices": NAMES }),
            )
            .hint("check whether the disk of the cluster's folder is full"),
            None => self.each_file("-c", tag),
        }
    }

    /// Brings the machine back to what it was; it is paused then, or off.
    pub fn load(&mut self, tag: &str) -> Result<()> {
        match &mut self.qmp {
            Some(qmp) => job(
                qmp,
                "snapshot-load",
                json!({ "tag": tag, "vmstate": NAMES[0], "devices": NAMES }),
            ),
            None => self.each_file("-a", tag),
        }
    }

    /// Removes the snapshot from the images that have it.
    pub fn delete(&mut self, tag: &str) -> Result<()> {
        let held = self.held(tag)?;
        if held.iter().all(Option::is_none) {
            return Ok(());
        }
        if let Some(qmp) = &mut self.qmp {
            let arguments = json!({ "tag": tag, "devices": NAMES });
            return job(qmp, "snapshot-delete", arguments);
        }
        for (file, held) in self.files.iter().zip(held) {
            if held.is_some() {
                snapshot(&self.qemu, "-d", tag, file)?;
            }
        }
        Ok(())
    }

    pub fn find(&mut self, tag: &str) -> Result<Found> {
        Ok(match self.held(tag)? {
            [None, None] => Found::Nowhere,
            [Some(memory), Some(_)] if memory > 0 => Found::Memory,
            [Some(_), Some(_)] => Found::Disks,
            _ => Found::Half,
        })
    }

    fn each_file(&self, action: &str, tag: &str) -> Result<()> {
        for file in &self.files {
            snapshot(&self.qemu, action, tag, file)?;
        }
        Ok(())
    }

    /// The size of the memory in each image's snapshot of this name, where it has one.
    fn held(&mut self, tag: &str) -> Result<[Option<u64>; 2]> {
        let infos = match &mut self.qmp {
            Some(qmp) => {
                let answer = qmp.execute("query-named-block-nodes", &json!({ "flat": true }))?;
                let nodes = answer.as_array().context("QEMU lists no block nodes")?;
                NAMES.map(|name| {
                    let node = nodes.iter().find(|node| node["node-name"] == name);
                    node.map(|node| node["image"].clone())
                        .with_context(|| format!("QEMU has no block node {name}"))
                })
            }
            None => self.files.each_ref().map(|file| info(&self.qemu, file)),
        };
        let [disk, variables] = infos.map(|info| size(info?, tag));
        Ok([disk?, variables?])
    }
}

#[derive(Deserialize)]
struct Image {
    #[serde(default)]
    snapshots: Vec<Snapshot>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Snapshot {
    name: String,
    vm_state_size: u64,
}

fn size(info: Value, tag: &str) -> Result<Option<u64>> {
    let image: Image = serde_json::from_value(info).context("QEMU describes an image oddly")?;
    let found = image.snapshots.into_iter().find(|one| one.name == tag);
    Ok(found.map(|snapshot| snapshot.vm_state_size))
}

fn info(qemu: &Path, file: &Path) -> Result<Value> {
    let arguments = ["info".into(), "--output=json".into(), file.into()];
    let text = qemu_img(qemu, arguments)?;
    serde_json::from_str(&text).context("qemu-img's answer is no JSON")
}

fn snapshot(qemu: &Path, action: &str, tag: &str, file: &Path) -> Result<()> {
    qemu_img(qemu, arguments(action, tag, file)).map(drop)
}

fn arguments(action: &str, tag: &str, file: &Path) -> [OsString; 4] {
    ["snapshot".into(), action.into(), tag.into(), file.into()]
}

/// Runs one of QEMU's jobs to its end. QEMU's main loop does the work, and answers
/// nothing meanwhile; a job of this kind can't be cancelled.
fn job(qmp: &mut Qmp, command: &str, mut arguments: Value) -> Result<()> {
    // Another run may have left its job behind under its own name.
    let id = format!("hardway-{}-{command}", std::process::id());
    let deadline = Instant::now() + LIMIT;
    arguments["job-id"] = json!(id);
    qmp.execute(command, &arguments)?;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let jobs = qmp.execute_within("query-jobs", &json!({}), left)?;
        let job = jobs
            .as_array()
            .and_then(|jobs| jobs.iter().find(|job| job["id"] == id))
            .ok_or_else(|| anyhow!("QEMU forgot its job {id}"))?;
        if job["status"] == "concluded" {
            let error = job["error"].as_str().map(ToOwned::to_owned);
            qmp.execute("job-dismiss", &json!({ "id": id }))?;
            return error.map_or(Ok(()), |error| {
                Err(anyhow!(error)).with_context(|| format!("QEMU's {command} failed"))
            });
        }
        if left.is_zero() {
            bail!("QEMU's {command} did not end within {} s", LIMIT.as_secs());
        }
        sleep(PAUSE);
    }
}
