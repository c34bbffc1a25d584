//! Which accelerator really runs a guest here.
//!
//! A present /dev/kvm may be unusable (nested virtualization that is not there, a
//! sandbox): the guest hangs, or dies while it unpacks its kernel. So nothing is
//! believed that did not boot a kernel to its first console line.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Arch;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Accelerator {
    Kvm,
    Hvf,
    /// QEMU's own emulation: everywhere, and ten times slower.
    Tcg,
}

impl Accelerator {
    pub fn as_str(self) -> &'static str {
        match self {
            Accelerator::Kvm => "kvm",
            Accelerator::Hvf => "hvf",
            Accelerator::Tcg => "tcg",
        }
    }

    /// By how much time limits are stretched.
    pub fn patience(self) -> u32 {
        match self {
            Accelerator::Tcg => 10,
            Accelerator::Kvm | Accelerator::Hvf => 1,
        }
    }
}

/// What was chosen, and why something faster was not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Choice {
    pub accelerator: Accelerator,
    /// One line for the user where a present accelerator was passed over.
    pub passed_over: Option<String>,
}

/// How long a kernel may take to its first line; a working one needs a second.
const LIMIT: Duration = Duration::from_secs(12);

/// The fastest accelerator that boots `kernel`; remembered per QEMU and kernel.
pub(super) fn choose(
    qemu: &Path,
    version: &str,
    arch: Arch,
    machine: &str,
    kernel: &Path,
) -> Result<Choice> {
    let Some(hardware) = present(arch) else {
        return Ok(Choice {
            accelerator: Accelerator::Tcg,
            passed_over: None,
        });
    };
    let mut hash = Sha256::new();
    hash.update(fs::read(kernel).with_context(|| format!("cannot read {}", kernel.display()))?);
    hash.update(version);
    hash.update(qemu.as_os_str().as_encoded_bytes());
    hash.update(boot_id());
    let key: String = hash.finalize()[..12]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();

    let cache = cache_file();
    let mut known: BTreeMap<String, Choice> = cache
        .as_ref()
        .and_then(|file| fs::read_to_string(file).ok())
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default();
    if let Some(choice) = known.get(&key) {
        return Ok(choice.clone());
    }
    let choice = match probe(qemu, arch, machine, hardware, kernel)? {
        None => Choice {
            accelerator: hardware,
            passed_over: None,
        },
        Some(reason) => Choice {
            accelerator: Accelerator::Tcg,
            passed_over: Some(format!(
                "{} is there but does not run a guest ({reason}); emulating, about ten times slower",
                match hardware {
                    Accelerator::Kvm => "/dev/kvm",
                    _ => "hvf",
                }
            )),
        },
    };
    known.insert(key, choice.clone());
    if let Some(file) = cache {
        // Only a cache: where it can't be written, the next run probes again.
        let _ = file.parent().map(fs::create_dir_all);
        let _ = fs::write(&file, serde_json::to_vec_pretty(&known)?);
    }
    Ok(choice)
}

/// The accelerator that this host offers to guests of `arch`, tried or not.
fn present(arch: Arch) -> Option<Accelerator> {
    if arch != Arch::native() {
        None
    } else if cfg!(target_os = "macos") {
        Some(Accelerator::Hvf)
    } else {
        Path::new("/dev/kvm").exists().then_some(Accelerator::Kvm)
    }
}

/// A reboot may change what the machine offers (another kernel, nesting switched on).
fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default()
}

fn cache_file() -> Option<PathBuf> {
    super::cache_folder().map(|folder| folder.join("accelerator.json"))
}

/// None where `kernel` printed its first line; else why not, in a few words.
fn probe(
    qemu: &Path,
    arch: Arch,
    machine: &str,
    accelerator: Accelerator,
    kernel: &Path,
) -> Result<Option<String>> {
    let mut child = Command::new(qemu)
        .args([
            "-display",
            "none",
            "-no-user-config",
            "-nodefaults",
            "-no-reboot",
        ])
        .args([
            "-machine", machine, "-cpu", "host", "-smp", "1", "-m", "512",
        ])
        .args(["-accel", accelerator.as_str()])
        .args(["-serial", "stdio", "-monitor", "none", "-append"])
        .arg(format!("console={0} earlycon panic=-1", arch.serial()))
        .arg("-kernel")
        .arg(kernel)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {}", qemu.display()))?;

    let (sender, lines) = std::sync::mpsc::channel::<Vec<u8>>();
    let pipes: [Option<Box<dyn Read + Send>>; 2] = [
        child.stdout.take().map(|pipe| Box::new(pipe) as _),
        child.stderr.take().map(|pipe| Box::new(pipe) as _),
    ];
    for mut pipe in pipes.into_iter().flatten() {
        let sender = sender.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = pipe.read(&mut buffer) {
                if sender.send(buffer[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
    }
    drop(sender);

    let deadline = Instant::now() + LIMIT;
    let mut text = String::new();
    let verdict = loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match lines.recv_timeout(left) {
            Ok(bytes) => {
                text.push_str(&String::from_utf8_lossy(&bytes));
                if text.contains("Linux version") {
                    break None;
                }
                if text.contains("KVM internal error") || text.contains("failed to initialize") {
                    break Some(first_complaint(&text));
                }
            }
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {
                break Some(format!(
                    "its kernel printed nothing within {} s",
                    LIMIT.as_secs()
                ));
            }
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => {
                break Some(first_complaint(&text));
            }
        }
    };
    let _ = child.kill();
    let _ = child.wait();
    Ok(verdict)
}

fn first_complaint(text: &str) -> String {
    text.lines()
        .map(str::trim)
        .find(|line| line.contains("error") || line.contains("failed") || line.contains("denied"))
        .map_or_else(|| "QEMU ended at once".to_owned(), ToOwned::to_owned)
}
