//! What runs the guest's instructions: the host's hypervisor where a guest really
//! boots on it, else emulation. A device such as /dev/kvm can be there and be
//! unusable, so only a booted kernel counts.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use serde::{Deserialize, Serialize};

use super::argument::Properties;
use super::{Arch, Host, argv, disk, tool};
use common::report::WithHint;

mod cache;

/// How long a guest may take from power-on to its kernel's first line.
const LIMIT: Duration = Duration::from_secs(20);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Accelerator {
    /// Linux' hypervisor.
    Kvm,
    /// macOS' hypervisor.
    Hvf,
    /// QEMU's emulation.
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

    /// The value of `-accel`.
    pub(super) fn argument(self) -> &'static str {
        match self {
            Accelerator::Kvm => "kvm",
            Accelerator::Hvf => "hvf",
            // The size of the translation cache in MiB: with the default a booting
            // guest fills it again and again.
            Accelerator::Tcg => "tcg,thread=multi,tb-size=512",
        }
    }
}

impl fmt::Display for Accelerator {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// Whether the host has a hypervisor to try.
enum Presence {
    Absent,
    /// It is there, and this user can't use it, because …
    Closed(String),
    Present,
}

/// Sets the accelerator of `host`, and the line about one that is present and was
/// not chosen. `kernel` is what the probe boots; without one the firmware must do,
/// unless an earlier probe of this QEMU on this host has answered.
pub(super) fn choose(host: &mut Host, kernel: Option<&Path>) -> Result<()> {
    let offered = tool::ask(&host.qemu, ["-accel", "help"])?;
    let offers = |one: Accelerator| offered.lines().any(|line| line.trim() == one.as_str());
    host.passed_over = None;
    for accelerator in [Accelerator::Kvm, Accelerator::Hvf] {
        if host.arch != Arch::native() || !offers(accelerator) {
            continue;
        }
        let reason = match presence(accelerator) {
            Presence::Absent => continue,
            Presence::Closed(reason) => reason,
            Presence::Present => match cache::probe(host, accelerator, kernel)? {
                Ok(()) => {
                    host.accelerator = accelerator;
                    return Ok(());
                }
                Err(reason) => reason,
            },
        };
        host.passed_over = Some(format!(
            "{accelerator} is there but does not run a guest ({reason}); \
             guests are emulated: about ten times slower, and one CPU each"
        ));
    }
    host.accelerator = Accelerator::Tcg;
    if offers(Accelerator::Tcg) {
        return Ok(());
    }
    let why = host
        .passed_over
        .as_deref()
        .unwrap_or("it has no emulation (tcg)");
    Err(anyhow!(
        "no accelerator of {} works here: {why}",
        host.qemu.display()
    ))
    .hint("name another QEMU with --qemu PATH")
}

fn presence(accelerator: Accelerator) -> Presence {
    match accelerator {
        Accelerator::Kvm if cfg!(target_os = "linux") => {
            let device = Path::new("/dev/kvm");
            if !device.exists() {
                return Presence::Absent;
            }
            match File::options().read(true).write(true).open(device) {
                Ok(_) => Presence::Present,
                Err(error) => Presence::Closed(format!(
                    "/dev/kvm cannot be opened ({error}); is this user in the group kvm?"
                )),
            }
        }
        Accelerator::Hvf if cfg!(target_os = "macos") => {
            let support = tool::ask(Path::new("/usr/sbin/sysctl"), ["-n", "kern.hv_support"]);
            match support {
                Ok(answer) if answer.trim() == "1" => Presence::Present,
                _ => Presence::Absent,
            }
        }
        _ => Presence::Absent,
    }
}

/// Boots `kernel`, or the firmware alone, and waits for its first line on the
/// console. `Ok(Err(…))` says in words what happened instead.
fn boots(
    host: &Host,
    accelerator: Accelerator,
    kernel: Option<&Path>,
) -> Result<Result<(), String>> {
    let folder =
        tempfile::tempdir().context("cannot make a folder for the probe of the accelerator")?;
    let (console, complaints) = (folder.path().join("console"), folder.path().join("stderr"));
    let stderr = File::create(&complaints)
        .with_context(|| format!("cannot write {}", complaints.display()))?;
    let words = arguments(host, accelerator, kernel, folder.path(), &console)?;
    let mut child = Command::new(&host.qemu)
        .args(words.into_iter().skip(1))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(stderr)
        // Out of reach of the terminal's Ctrl-C, whose effect would be taken for an answer.
        .process_group(0)
        .spawn()
        .with_context(|| format!("cannot run {}", host.qemu.display()))?;
    let wanted = if kernel.is_some() {
        "Linux version"
    } else {
        "BdsDxe: "
    };
    let outcome = watch(&mut child, &console, &complaints, wanted);
    // Whatever it came to: the probe's guest is not wanted any longer.
    let _ = child.kill();
    let _ = child.wait();
    Ok(outcome)
}

fn watch(child: &mut Child, console: &Path, complaints: &Path, wanted: &str) -> Result<(), String> {
    let text = |path: &Path| {
        fs::read(path)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    };
    let start = Instant::now();
    loop {
        // Asked before the files are read, so that a last word is not missed.
        let ended = child.try_wait();
        if text(console).contains(wanted) {
            return Ok(());
        }
        let complaint = text(complaints);
        if complaint.contains("KVM internal error") {
            return Err(format!(
                "a guest does not boot on it ({})",
                summary(&complaint)
            ));
        }
        match ended {
            Ok(None) => {}
            Ok(Some(status)) => {
                return Err(format!("QEMU ended, {status}: {}", summary(&complaint)));
            }
            Err(error) => return Err(format!("QEMU cannot be watched: {error}")),
        }
        if start.elapsed() > LIMIT {
            return Err(format!(
                "a guest shows no sign of life on it within {} s",
                LIMIT.as_secs()
            ));
        }
        sleep(Duration::from_millis(50));
    }
}

/// The line of QEMU's complaints that says most.
fn summary(complaint: &str) -> String {
    let lines = || {
        complaint
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
    };
    lines()
        .find(|line| line.contains("error"))
        .or_else(|| lines().next())
        // QEMU's name stands before it.
        .map_or("it says nothing", |line| {
            line.split_once(": error: ").map_or(line, |(_, said)| said)
        })
        .to_owned()
}

fn arguments(
    host: &Host,
    accelerator: Accelerator,
    kernel: Option<&Path>,
    folder: &Path,
    console: &Path,
) -> Result<Vec<OsString>> {
    let variables = folder.join("variables.qcow2");
    disk::variables(&host.qemu, host.arch, &host.firmware, &variables)?;
    let mut arguments = argv::platform(host, accelerator, &variables)?;
    arguments
        .plain("m", "512")
        .flag("no-reboot")
        .option(
            "chardev",
            Properties::of("file")
                .set("id", "console")
                .set("path", console),
        )
        .plain("serial", "chardev:console");
    if let Some(kernel) = kernel {
        let console = host.arch.serial();
        arguments
            .plain("kernel", kernel)
            .plain("append", format!("console={console} loglevel=7 panic=-1"));
    }
    Ok(arguments.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_is_the_line_that_names_the_error() {
        let complaint =
            "qemu: warning: no pni\nKVM internal error. Suberror: 1\nextra data[0]: 1\n";
        assert_eq!(summary(complaint), "KVM internal error. Suberror: 1");
        assert_eq!(summary("qemu: error: no MSR\nAborted\n"), "no MSR");
        assert_eq!(summary("\nAborted\n"), "Aborted");
    }
}
