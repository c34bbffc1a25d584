//! `hardway doctor`: whether this host has what `up` needs, before it needs it; a line
//! each, and the command that mends what is not well. It starts and changes nothing but
//! the guest with which an accelerator is tried.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;
use time::OffsetDateTime;

use self::platform::{Program, sudo};
use super::fit;
use super::host::{self, Wanted};
use super::table::Tone;
use super::wait::words;
use crate::deploy::install::base;
use crate::runtime;
use qemu::{Accelerator, Host, Parts, process, search};

use common::report::Hint;
use common::state::Paths;
use model::topology::{Cni, Node, Topology};

mod clock;
mod platform;

pub use platform::Platform;

/// How long the guests may take to tell their time.
const GUESTS: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Ok,
    /// It works, and less well or not all of it.
    Warning,
    /// `up` would fail.
    Failure,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    pub name: &'static str,
    pub verdict: Verdict,
    pub found: String,
    /// The command that mends it.
    pub remedy: Option<String>,
}

impl Check {
    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self {
            name,
            verdict: Verdict::Ok,
            found: found.into(),
            remedy: None,
        }
    }

    fn bad(
        name: &'static str,
        verdict: Verdict,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            name,
            verdict,
            found: found.into(),
            remedy: Some(remedy.into()),
        }
    }

    /// A failure in an error's own words, its hint being the remedy.
    fn failed(name: &'static str, error: &anyhow::Error) -> Self {
        Self {
            name,
            verdict: Verdict::Failure,
            found: words(error),
            remedy: error.downcast_ref::<Hint>().map(|hint| hint.0.clone()),
        }
    }
}

/// Looks at everything, the programs first.
pub fn doctor(paths: &Paths, topology: &Topology) -> Vec<Check> {
    let platform = Platform::here();
    let mut checks = Vec::new();
    if topology.remote().is_none() {
        match Host::look(paths) {
            Ok(parts) => checks.extend(machines(&parts, platform)),
            Err(error) => checks.push(Check::failed("QEMU", &error)),
        }
    }
    checks.extend(programs(topology, platform));
    if topology.remote().is_none() {
        checks.extend(room(paths, topology));
    }
    let now = OffsetDateTime::now_utc();
    checks.push(match pki::validities(paths) {
        Ok(all) => clock::judge(now, &all, platform),
        Err(error) => Check::failed("clock", &error),
    });
    checks.extend(clock::guests(paths, topology, Instant::now() + GUESTS));
    checks
}

/// What runs machines.
fn machines(parts: &Parts, platform: Platform) -> Vec<Check> {
    let with = |program: Program, mut check: Check| {
        check.remedy = Some(platform.install(program));
        check
    };
    let accelerator = match &parts.accelerator {
        None => Check::bad(
            "accelerator",
            Verdict::Warning,
            "not tried: what a guest needs is missing",
            "hardway doctor",
        ),
        Some(Err(error)) => Check::failed("accelerator", error),
        Some(Ok((Accelerator::Tcg, passed_over))) => emulated(passed_over.as_deref()),
        Some(Ok((accelerator, _))) => Check::ok(
            "accelerator",
            format!("{accelerator}, and a guest runs on it"),
        ),
    };
    vec![
        match &parts.qemu {
            Ok((version, qemu)) => {
                Check::ok("QEMU", format!("{}, version {version}", qemu.display()))
            }
            Err(error) => with(platform::qemu(parts.arch), Check::failed("QEMU", error)),
        },
        match &parts.images {
            Ok(program) => Check::ok("qemu-img", program.display().to_string()),
            Err(error) => with(platform::QEMU_IMG, Check::failed("qemu-img", error)),
        },
        match &parts.firmware {
            Ok(firmware) => Check::ok("firmware", firmware.code.display().to_string()),
            Err(error) => with(
                platform::firmware(parts.arch),
                Check::failed("firmware", error),
            ),
        },
        accelerator,
    ]
}

fn emulated(passed_over: Option<&str>) -> Check {
    let found = passed_over.unwrap_or(
        "this host offers none; guests are emulated: about ten times slower, and one CPU each",
    );
    let remedy = if found.contains("group kvm") {
        format!("{}usermod -aG kvm $USER, and log in again", sudo())
    } else if cfg!(target_os = "linux") && passed_over.is_none() {
        format!(
            "turn virtualization on in this machine's firmware, then {}modprobe -a kvm_intel kvm_amd",
            sudo()
        )
    } else {
        "use a host whose hypervisor runs guests; all works without, only slower".to_owned()
    };
    Check::bad("accelerator", Verdict::Warning, found, remedy)
}

/// What verbs call, by its name on the PATH.
fn programs(topology: &Topology, platform: Platform) -> Vec<Check> {
    let look = |program: Program, missing: Verdict, purpose: &str| match search(program.name) {
        Some(found) => Check::ok(program.name, found.display().to_string()),
        None => Check::bad(
            program.name,
            missing,
            format!("not installed: {purpose}"),
            platform.install(program),
        ),
    };
    let mut checks = Vec::new();
    if topology.remote().is_none() {
        checks.push(look(
            platform::EXPECT,
            Verdict::Failure,
            "it drives an installation",
        ));
        checks.push(look(
            platform::XORRISO,
            Verdict::Failure,
            "it reads the medium that nodes are installed from",
        ));
    }
    if topology.cni == Cni::Cilium {
        checks.push(look(
            platform::HELM,
            Verdict::Failure,
            "it installs Cilium; \"cni\": \"bridge\" in cluster.json needs none",
        ));
    }
    checks.push(look(
        platform::KUBECTL,
        Verdict::Warning,
        "`hardway kubectl` and `hardway verify` call it",
    ));
    checks.push(look(
        platform::SSH,
        Verdict::Warning,
        "`hardway ssh` calls it",
    ));
    checks.push(match search("nix") {
        Some(found) => Check::ok("nix", found.display().to_string()),
        None => Check::bad(
            "nix",
            Verdict::Warning,
            "not installed: `nix run` and `--iso flake` need it; the rehearsal works without",
            "open https://nixos.org/download, or run scripts/rehearse",
        ),
    });
    checks
}

/// Memory, disk and ports for what does not run yet, and a base image that is lost.
fn room(paths: &Paths, topology: &Topology) -> Vec<Check> {
    let nodes = topology.nodes.iter();
    let off = Wanted::all(
        nodes.filter(|node| process::find(paths, &node.name).is_none()),
        |node| !paths.node(&node.name).installed().is_file(),
        |_| true,
    );
    let lost = off
        .iter()
        .find_map(|wanted| base::check(paths, topology, wanted.node).err());
    let mut checks = vec![
        memory(paths, topology, &off).unwrap_or_else(|error| Check::failed("memory", &error)),
        disk(paths, &off),
        ports(topology, &off),
    ];
    checks.extend(lost.map(|error| Check::failed("base image", &error)));
    checks
}

fn memory(paths: &Paths, topology: &Topology, off: &[Wanted<'_>]) -> Result<Check> {
    let available = host::available_memory()?;
    Ok(match fit::between(paths, topology, off, available)? {
        None if off.is_empty() => Check::ok("memory", "every machine runs already"),
        None => Check::ok(
            "memory",
            format!("{available} MiB are free for {} machines", off.len()),
        ),
        Some(shortage) => Check::failed("memory", &shortage.error(Some("up"))),
    })
}

fn disk(paths: &Paths, off: &[Wanted<'_>]) -> Check {
    let state = paths.state();
    // The state folder is made by the first run.
    let folder: &Path = if state.is_dir() { &state } else { &paths.dir };
    let judge = || -> Result<Check> {
        let free = host::free_disk(folder)?;
        Ok(match host::compare_disk(off, free, folder)? {
            Some(warning) => Check::bad(
                "disk",
                Verdict::Warning,
                warning.trim_start_matches("warning: "),
                "write a smaller DISK_SIZE into cluster.env, or make room",
            ),
            None => Check::ok(
                "disk",
                format!("{free} GiB are free in {}", folder.display()),
            ),
        })
    };
    judge().unwrap_or_else(|error| Check::failed("disk", &error))
}

/// A port that a machine of ours holds is as it should be.
fn ports(topology: &Topology, off: &[Wanted<'_>]) -> Check {
    let nodes = off.iter().map(|wanted| wanted.node);
    let taken = |node: &Node| runtime::ports_free(topology, node).err();
    match nodes.clone().find_map(taken) {
        Some(error) => Check::failed("ports", &error),
        None if off.is_empty() => Check::ok("ports", "the machines hold theirs"),
        None => Check::ok("ports", "all that are forwarded are free"),
    }
}

/// The lines that people read.
pub fn text(checks: &[Check]) -> String {
    let width = checks
        .iter()
        .map(|check| check.name.len())
        .max()
        .unwrap_or(0);
    let mut text = String::new();
    for check in checks {
        let (word, tone) = match check.verdict {
            Verdict::Ok => ("ok", Tone::Good),
            Verdict::Warning => ("warning", Tone::Doubtful),
            Verdict::Failure => ("failure", Tone::Bad),
        };
        let word = tone.paint(&format!("{word:<7}"));
        text += &format!("{word}  {:<width$}  {}\n", check.name, check.found);
        if let Some(remedy) = &check.remedy {
            text += &format!("{:indent$}{remedy}\n", "", indent = 7 + 2 + width + 2);
        }
    }
    text
}
