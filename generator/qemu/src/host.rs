//! What this host offers to guests, found once and pinned for the cluster's life:
//! a machine that was installed under one machine type keeps it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use serde::{Deserialize, Serialize};

use super::accelerator::{self, Accelerator};
use super::segment::Transport;
use super::{Arch, Firmware, disk, tool};
use common::file;
use common::report::WithHint;
use common::state::Paths;

/// What a person may choose.
#[derive(Debug, Clone, Default)]
pub struct HostOptions {
    /// Another QEMU than the first on the PATH.
    pub qemu: Option<PathBuf>,
    /// Another architecture than this host's.
    pub arch: Option<Arch>,
    /// A Linux kernel to try accelerators with: the medium's. Without one the firmware is tried.
    pub kernel: Option<PathBuf>,
}

/// What runs the cluster's guests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    pub arch: Arch,
    pub qemu: PathBuf,
    /// As QEMU prints it, e.g. `7.2.22`.
    pub version: String,
    /// The versioned machine type, e.g. `pc-q35-7.2`.
    pub machine: String,
    pub accelerator: Accelerator,
    /// Why a present accelerator is not used; shown once.
    pub passed_over: Option<String>,
    pub firmware: Firmware,
    /// Of the host's system, so it is not pinned.
    #[serde(skip)]
    pub transport: Transport,
}

/// What a host offers, or why not.
#[derive(Debug)]
pub struct Parts {
    pub arch: Arch,
    /// Its version and its path.
    pub qemu: Result<(String, PathBuf)>,
    /// qemu-img.
    pub images: Result<PathBuf>,
    pub firmware: Result<Firmware>,
    /// The one that runs a guest, and why a present one does not; none where nothing could be tried.
    pub accelerator: Option<Result<(Accelerator, Option<String>)>>,
}

/// Since this version QEMU joins guests over datagram sockets (`-netdev dgram`).
const OLDEST: (u32, u32) = (7, 2);

impl Host {
    /// What is pinned for the cluster, or else what is found now, which is then pinned.
    pub fn detect(paths: &Paths, options: &HostOptions) -> Result<Self> {
        let host = Self::found(paths, options)?;
        if Self::pinned(paths)?.as_ref() != Some(&host) {
            host.pin(paths)?;
        }
        Ok(host)
    }

    /// What [`Host::detect`] gives; pins nothing.
    pub fn found(paths: &Paths, options: &HostOptions) -> Result<Self> {
        let pinned = Self::pinned(paths)?;
        if let (Some(pinned), Some(arch)) = (&pinned, options.arch)
            && pinned.arch != arch
        {
            let refused: Result<Self> = Err(anyhow!(
                "the machines of {} are {}, not {arch}",
                paths.dir.display(),
                pinned.arch
            ));
            return refused.hint("use another folder, or `hardway destroy` this cluster first");
        }
        let arch = match (&pinned, options.arch) {
            (Some(pinned), _) => pinned.arch,
            (None, Some(arch)) => arch,
            (None, None) => Arch::native(),
        };
        let qemu = match (&options.qemu, &pinned) {
            (Some(qemu), _) => absolute(qemu)?,
            // A garbage-collected store path, an upgraded package: look again.
            (None, Some(pinned)) if pinned.qemu.is_file() => pinned.qemu.clone(),
            (None, _) => on_path(arch)?,
        };
        let version = version(&qemu)?;
        let machine = match &pinned {
            Some(pinned) => offered(&qemu, &pinned.machine)?,
            None => newest_machine(&qemu, arch)?,
        };
        // Code and variables belong together: the ones of installed machines stay.
        let firmware = match &pinned {
            Some(pinned) if pinned.firmware.exists() => pinned.firmware.clone(),
            _ => Firmware::find(arch, &qemu)?,
        };
        let mut host = Self {
            arch,
            qemu,
            version,
            machine,
            accelerator: Accelerator::Tcg,
            passed_over: None,
            firmware,
            transport: Transport::native(),
        };
        accelerator::choose(&mut host, options.kernel.as_deref())?;
        Ok(host)
    }

    /// What [`Host::found`] would find, each part by itself.
    pub fn look(paths: &Paths) -> Result<Parts> {
        let pinned = Self::pinned(paths)?;
        let arch = pinned.as_ref().map_or_else(Arch::native, |host| host.arch);
        let qemu = match &pinned {
            Some(pinned) if pinned.qemu.is_file() => Ok(pinned.qemu.clone()),
            _ => on_path(arch),
        };
        let qemu = qemu.and_then(|qemu| Ok((version(&qemu)?, qemu)));
        let program = qemu
            .as_ref()
            .map_or_else(|_| PathBuf::from(arch.qemu()), |(_, qemu)| qemu.clone());
        let firmware = match &pinned {
            Some(pinned) if pinned.firmware.exists() => Ok(pinned.firmware.clone()),
            _ => Firmware::find(arch, &program),
        };
        let accelerator = match (&qemu, &firmware, disk::images_program(&program)) {
            (Ok((version, qemu)), Ok(firmware), Ok(_)) => {
                Some(try_accelerators(arch, qemu, version, firmware))
            }
            _ => None,
        };
        Ok(Parts {
            arch,
            images: disk::images_program(&program),
            qemu,
            firmware,
            accelerator,
        })
    }

    /// What an earlier run pinned, if there was one.
    pub fn pinned(paths: &Paths) -> Result<Option<Self>> {
        let file = paths.machine_json();
        let text = match fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", file.display()));
            }
        };
        serde_json::from_str(&text)
            .map(Some)
            .with_context(|| format!("{} is not what hardway wrote", file.display()))
            .hint(format!(
                "delete {}: the next run finds out again",
                file.display()
            ))
    }

    fn pin(&self, paths: &Paths) -> Result<()> {
        paths.create_state()?;
        let text = format!("{}\n", serde_json::to_string_pretty(self)?);
        file::replace(&paths.machine_json(), text.as_bytes(), file::PRIVATE)
    }

    /// By how much time limits are stretched: emulation is slow.
    pub fn patience(&self) -> u32 {
        self.accelerator.patience()
    }
}

fn try_accelerators(
    arch: Arch,
    qemu: &Path,
    version: &str,
    firmware: &Firmware,
) -> Result<(Accelerator, Option<String>)> {
    let mut host = Host {
        arch,
        qemu: qemu.to_path_buf(),
        version: version.to_owned(),
        machine: newest_machine(qemu, arch)?,
        accelerator: Accelerator::Tcg,
        passed_over: None,
        firmware: firmware.clone(),
        transport: Transport::native(),
    };
    accelerator::choose(&mut host, None)?;
    Ok((host.accelerator, host.passed_over))
}

fn absolute(program: &Path) -> Result<PathBuf> {
    let found = if program.components().count() > 1 {
        program
            .is_file()
            .then(|| std::path::absolute(program))
            .transpose()?
    } else {
        tool::search(program)
    };
    found
        .ok_or_else(|| anyhow!("there is no QEMU at {}", program.display()))
        .hint("give --qemu the path of qemu-system-x86_64 or qemu-system-aarch64")
}

fn on_path(arch: Arch) -> Result<PathBuf> {
    let program = arch.qemu();
    let package = match arch {
        Arch::X86_64 => "qemu-system-x86",
        Arch::Aarch64 => "qemu-system-arm",
    };
    tool::search(program)
        .ok_or_else(|| anyhow!("{program} is not installed"))
        .hint(format!(
            "Debian: apt install {package} qemu-utils; Nix: nix profile install nixpkgs#qemu; Homebrew: brew install qemu"
        ))
}

fn version(qemu: &Path) -> Result<String> {
    let text = tool::ask(qemu, ["--version"])?;
    let version = text
        .split_whitespace()
        .skip_while(|word| *word != "version")
        .nth(1)
        .with_context(|| format!("{} --version says {:?}", qemu.display(), text.trim()))?;
    let mut numbers = version
        .split('.')
        .map(|part| part.parse::<u32>().unwrap_or(0));
    let found = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if found < OLDEST {
        let refused: Result<String> = Err(anyhow!(
            "{} is version {version}; the segment between the nodes needs {}.{}",
            qemu.display(),
            OLDEST.0,
            OLDEST.1
        ));
        return refused.hint("install a newer QEMU, or name one with --qemu PATH");
    }
    Ok(version.to_owned())
}

/// The versioned name that the architecture's machine is an alias of today.
fn newest_machine(qemu: &Path, arch: Arch) -> Result<String> {
    let text = tool::ask(qemu, ["-machine", "help"])?;
    let alias = arch.machine();
    text.lines()
        .filter(|line| line.split_whitespace().next() == Some(alias))
        .find_map(|line| line.split_once("(alias of ")?.1.split(')').next())
        .map(ToOwned::to_owned)
        .with_context(|| format!("{} has no machine {alias}", qemu.display()))
}

/// The pinned machine type, if this QEMU still has it.
fn offered(qemu: &Path, machine: &str) -> Result<String> {
    let text = tool::ask(qemu, ["-machine", "help"])?;
    if text
        .lines()
        .any(|line| line.split_whitespace().next() == Some(machine))
    {
        return Ok(machine.to_owned());
    }
    let refused: Result<String> = Err(anyhow!(
        "{} does not offer {machine}, which this cluster's machines were installed with",
        qemu.display()
    ));
    refused
        .hint("name the QEMU that has it with --qemu PATH, or `hardway destroy` and install again")
}
