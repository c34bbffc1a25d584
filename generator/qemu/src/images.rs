//! The snapshots inside one machine's two images, its disk and its UEFI variables:
//! over QMP while the machine runs, memory and devices included, else with qemu-img.
//!
//! Reference: QEMU's docs/interop/qemu-qmp-ref, snapshot-save; docs/interop/qcow2.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Value, json};

use self::held::{info, size};
use self::job::{JOB, run_job};
use self::reach::interrupted;
use super::disk::{self, images_program};
use super::movement::{Amount, SHORT_STALL, Stalled, Total, Watch, log};
use super::process::Running;
use super::qmp::Qmp;
use super::tool;
use common::report::WithHint;
use common::state::Paths;

mod held;
mod job;
mod reach;

/// The images' names as block nodes (see argv.rs). The first holds the memory.
const NAMES: [&str; 2] = ["disk", "variables"];

/// With less room than this, in bytes, a file system counts as full.
const FULL: u64 = 16 << 20;

const DYING: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(20);

/// A machine's images, and the way to them.
#[derive(Debug)]
pub struct Images {
    paths: Paths,
    node: String,
    /// While it runs.
    reached: Option<Reached>,
    /// The guest stands still: QEMU's processor time is its own work.
    paused: bool,
    /// Something may have been loaded since the guest ran last.
    loaded: bool,
    /// How long nothing may move.
    stall: Duration,
    /// The user has asked to stop.
    cancelled: Arc<AtomicBool>,
    qemu: PathBuf,
    files: [PathBuf; 2],
}

/// A QEMU that runs, and its answers. It serves nobody else meanwhile.
#[derive(Debug)]
struct Reached {
    machine: Running,
    qmp: Qmp,
}

/// Gets to know how far a piece of work is.
pub type Tell<'a> = dyn Fn(Amount) + 'a;

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
    /// `qemu`: whose qemu-img works on the images of a machine that is off. `stall`: how
    /// long to wait for QEMU while nothing moves (see movement.rs). `paused`: whether an
    /// earlier run has paused the guest. `cancelled` ends a wait for a QEMU whose guest runs.
    pub fn of(
        qemu: &Path,
        paths: &Paths,
        node: impl AsRef<str>,
        stall: Duration,
        paused: bool,
        cancelled: Arc<AtomicBool>,
    ) -> Result<Self> {
        let files = paths.node(&node);
        let mut images = Self {
            paths: paths.clone(),
            node: node.as_ref().to_owned(),
            reached: None,
            paused,
            loaded: paused,
            stall,
            cancelled,
            qemu: qemu.to_owned(),
            files: [files.disk(), files.firmware_variables()],
        };
        images.reach()?;
        Ok(images)
    }

    fn watch(&self, pid: i32, guest_runs: bool) -> Watch {
        Watch::new(pid, &self.paths.node(&self.node), guest_runs, self.stall)
    }

    /// What has stood still once is not waited for as long again.
    fn noting_stalls<T>(&mut self, result: Result<T>) -> Result<T> {
        if let Err(error) = &result
            && stalled(error)
        {
            self.stall = self.stall.min(SHORT_STALL);
        }
        result
    }

    pub fn running(&self) -> bool {
        self.reached.is_some()
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
    /// Jobs that an earlier run left come to their end first.
    pub fn look_again(&mut self) -> Result<()> {
        if self.reached.is_some() {
            match self.finish_jobs() {
                Ok(()) => return Ok(()),
                Err(error) if stalled(&error) => return Err(error),
                Err(_) => {}
            }
        }
        // A killed QEMU holds its images until its memory is given back.
        let deadline = Instant::now() + DYING;
        loop {
            match self.reach() {
                Ok(()) => return self.finish_jobs(),
                Err(error)
                    if stalled(&error)
                        || Instant::now() >= deadline
                        || (!self.paused && interrupted(&self.cancelled).is_err()) =>
                {
                    return Err(error);
                }
                Err(_) => sleep(PAUSE),
            }
        }
    }

    /// A QEMU that is at a job answers nothing; one that answers for as long as `stall`, and
    /// has still a job, will not finish it.
    fn finish_jobs(&mut self) -> Result<()> {
        let mut waited = Duration::ZERO;
        while self.reached.is_some() {
            let jobs = self.ask("query-jobs")?;
            let jobs = jobs.as_array().context("QEMU lists no jobs")?;
            let ours = |job: &&Value| job["id"].as_str().is_some_and(|id| id.starts_with(JOB));
            let (done, working): (Vec<&Value>, Vec<&Value>) = jobs
                .iter()
                .filter(ours)
                .partition(|job| job["status"] == "concluded");
            for job in done {
                self.execute("job-dismiss", &json!({ "id": job["id"] }))?;
            }
            if working.is_empty() {
                break;
            }
            if waited >= self.stall {
                bail!(
                    "QEMU answers, and for {} s has not ended its jobs: {}",
                    self.stall.as_secs(),
                    json!(working)
                );
            }
            sleep(PAUSE);
            waited += PAUSE;
        }
        Ok(())
    }

    fn ask(&mut self, command: &str) -> Result<Value> {
        self.execute(command, &json!({}))
    }

    /// Runs a command of QMP, waiting as long as something moves. `Null` where the machine
    /// is off.
    fn execute(&mut self, command: &str, arguments: &Value) -> Result<Value> {
        let Some(pid) = self.pid() else {
            return Ok(Value::Null);
        };
        let mut watch = self.watch(pid, !self.paused);
        let what = format!("QEMU's {command}");
        let cancelled = (!self.paused).then(|| Arc::clone(&self.cancelled));
        let answer = match &mut self.reached {
            Some(Reached { qmp, .. }) => qmp.execute_while(command, arguments, &mut || {
                cancelled.as_deref().map_or(Ok(()), interrupted)?;
                watch.check(&what)
            }),
            None => return Ok(Value::Null),
        };
        self.noting_stalls(answer)
    }

    fn pid(&self) -> Option<i32> {
        self.reached.as_ref().map(|reached| reached.machine.pid())
    }

    /// Stops the guest's processors. Nothing where the machine is off.
    pub fn pause(&mut self) -> Result<()> {
        self.paused = true;
        self.ask("stop").map(drop)
    }

    /// The guest's processors go on. Nothing where the machine is off.
    pub fn resume(&mut self) -> Result<()> {
        self.ask("cont")?;
        (self.paused, self.loaded) = (false, false);
        Ok(())
    }

    /// Saves the machine as it is now; with its memory where it runs.
    pub fn save(&mut self, tag: &str, tell: &Tell<'_>) -> Result<()> {
        if !self.running() {
            let saved = self.each_file("-c", tag);
            return self.if_full(saved);
        }
        let memory = self.ask("query-memory-size-summary")?;
        let total = Total::AtMost(memory["base-memory"].as_u64().unwrap_or(0));
        let arguments = json!({ "tag": tag, "vmstate": NAMES[0], "devices": NAMES });
        let saved = self.job("snapshot-save", arguments, &|watch| {
            let done = watch.written();
            tell(Amount { done, total });
        });
        self.if_full(saved)
    }

    /// Brings the machine back to what it was; it is paused then, or off.
    pub fn load(&mut self, tag: &str, tell: &Tell<'_>) -> Result<()> {
        if !self.running() {
            return self.each_file("-a", tag);
        }
        // QEMU ends with a segmentation fault where its flash is loaded twice and the guest
        // did not run in between (pflash_cfi01.c in 7.2 registers two handlers and keeps one).
        if self.loaded {
            self.ask("cont")?;
            self.ask("stop")?;
        }
        self.loaded = true;
        let [memory, _] = self.held(tag)?;
        let total = memory.map_or(Total::Unknown, Total::About);
        let arguments = json!({ "tag": tag, "vmstate": NAMES[0], "devices": NAMES });
        self.job("snapshot-load", arguments, &|watch| {
            let done = watch.read();
            tell(Amount { done, total });
        })
    }

    /// Removes the snapshot from the images that have it.
    pub fn delete(&mut self, tag: &str, tell: &Tell<'_>) -> Result<()> {
        let held = self.held(tag)?;
        if held.iter().all(Option::is_none) {
            return Ok(());
        }
        if self.running() {
            let arguments = json!({ "tag": tag, "devices": NAMES });
            return self.job("snapshot-delete", arguments, &|watch| {
                let (done, total) = (watch.written(), Total::Unknown);
                tell(Amount { done, total });
            });
        }
        for (file, held) in self.files.iter().zip(held) {
            if held.is_some() {
                self.snapshot("-d", tag, file)?;
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
            self.snapshot(action, tag, file)?;
        }
        Ok(())
    }

    /// qemu-img works on one image of a machine that is off.
    fn snapshot(&self, action: &str, tag: &str, file: &Path) -> Result<()> {
        let mut watch = None;
        let program = images_program(&self.qemu)?;
        tool::ask_while(&program, arguments(action, tag, file), |pid| {
            watch
                .get_or_insert_with(|| self.watch(pid, false))
                .check("qemu-img snapshot")
        })
        .map(drop)
    }

    /// Runs one of QEMU's jobs to its end, as long as something moves. QEMU's main loop does
    /// the work, and answers nothing meanwhile; a job of this kind can't be cancelled.
    fn job(&mut self, command: &str, arguments: Value, tell: &dyn Fn(&Watch)) -> Result<()> {
        let Some(pid) = self.pid() else {
            bail!("{}'s QEMU has ended", self.node);
        };
        let mut watch = self.watch(pid, !self.paused);
        let files = self.paths.node(&self.node);
        let result = match &mut self.reached {
            Some(Reached { qmp, .. }) => run_job(qmp, command, arguments, &mut || {
                watch.check(&format!("QEMU's {command}"))?;
                tell(&watch);
                Ok(())
            }),
            None => Ok(None),
        };
        match self.noting_stalls(result)? {
            None => Ok(()),
            Some(error) => Err(anyhow!(log(&files)).context(error))
                .with_context(|| format!("QEMU's {command} failed")),
        }
    }

    /// A failure on a full file system has its hint.
    fn if_full(&self, result: Result<()>) -> Result<()> {
        let folder = self.paths.state();
        let Err(error) = result else { return Ok(()) };
        let said = error.chain().any(|cause| {
            let cause = cause.to_string();
            ["No space left", "quota"]
                .iter()
                .any(|words| cause.contains(words))
        });
        match disk::room(&folder) {
            Ok(room) if room < FULL || said => Err(error).hint(format!(
                "make room on the file system of {}: it is full ({} MiB are free)",
                folder.display(),
                room >> 20
            )),
            _ => Err(error),
        }
    }

    /// The size of the memory in each image's snapshot of this name, where it has one.
    fn held(&mut self, tag: &str) -> Result<[Option<u64>; 2]> {
        let infos = match self.running() {
            true => {
                let answer = self.execute("query-named-block-nodes", &json!({ "flat": true }))?;
                let nodes = answer.as_array().context("QEMU lists no block nodes")?;
                NAMES.map(|name| {
                    let node = nodes.iter().find(|node| node["node-name"] == name);
                    node.map(|node| node["image"].clone())
                        .with_context(|| format!("QEMU has no block node {name}"))
                })
            }
            false => self.files.each_ref().map(|file| info(&self.qemu, file)),
        };
        let [disk, variables] = infos.map(|info| size(info?, tag));
        Ok([disk?, variables?])
    }
}

fn arguments(action: &str, tag: &str, file: &Path) -> [OsString; 4] {
    ["snapshot".into(), action.into(), tag.into(), file.into()]
}

/// Whether QEMU was given up for standing still: it may go on later.
pub fn stalled(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Stalled>().is_some()
}

#[cfg(test)]
mod tests;
