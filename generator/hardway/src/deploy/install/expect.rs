//! Runs scripts/install.exp: its input, its stages, its end.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use rustix::process::{Pid, Signal, kill_process};

use common::report::{Code, INTERRUPTED, WithHint};
use qemu::search;

pub(super) const SCRIPT: &str = include_str!("../../../../../scripts/install.exp");

/// How long the script may take to stop its machine: it kills QEMU after 10 s.
const STOP_LIMIT: Duration = Duration::from_secs(20);

/// The script's exit codes for which there is something to say (see its header).
const SHELL: i32 = 11;
const NETWORK: i32 = 13;
const INSTALL: i32 = 19;
const QEMU_ENDED: i32 = 30;
const DISK_FULL: i32 = 31;
const CHECKSUM: i32 = 32;
const LEAK: i32 = 33;
const STOPPED: i32 = 130;

/// A host with less than this left is the reason why a guest can't write.
const HOST_FULL: u64 = 64 << 20;

pub(super) fn find() -> Result<PathBuf> {
    search("expect")
        .ok_or_else(|| anyhow!("expect, which drives the installation, is not installed"))
        .hint("Debian: apt install expect; Nix: nix profile install nixpkgs#expect; Homebrew: brew install expect")
}

/// One run of the script.
pub(super) struct Run<'a> {
    pub program: PathBuf,
    /// Where the script's file goes meanwhile.
    pub runtime: PathBuf,
    /// None where the base itself is made.
    pub node: Option<&'a str>,
    pub base: &'a str,
    pub log: PathBuf,
    /// What the script's limits are multiplied by.
    pub scale: u32,
    /// Whether the medium holds the packages.
    pub self_contained: bool,
    pub flake_sha256: String,
    pub keys_sha256: Option<String>,
    pub qemu: Vec<OsString>,
}

impl Run<'_> {
    pub(super) fn run(
        &self,
        input: &str,
        on_stage: &(dyn Fn(&str) + Sync),
        cancelled: &AtomicBool,
    ) -> Result<()> {
        let script = tempfile::Builder::new()
            .prefix("install-")
            .suffix(".exp")
            .tempfile_in(&self.runtime)
            .with_context(|| format!("cannot write into {}", self.runtime.display()))?;
        fs::write(script.path(), SCRIPT)?;
        let mut child = self
            .command(script.path())
            .spawn()
            .with_context(|| format!("cannot run {}", self.program.display()))?;
        let stdout = child.stdout.take();
        let stderr = child.stderr.take();
        let mut stdin = child.stdin.take();
        // A script that has ended already says why on its standard error.
        if let Some(stdin) = &mut stdin {
            let _ = stdin.write_all(input.as_bytes());
        }
        thread::scope(|scope| {
            scope.spawn(|| {
                for line in stdout
                    .into_iter()
                    .flat_map(|pipe| BufReader::new(pipe).lines())
                {
                    if let Some(stage) =
                        line.as_deref().ok().and_then(|l| l.strip_prefix("stage: "))
                    {
                        on_stage(stage);
                    }
                }
            });
            let said = scope.spawn(|| {
                let mut text = String::new();
                if let Some(mut pipe) = stderr {
                    let _ = pipe.read_to_string(&mut text);
                }
                text
            });
            let status = wait(&mut child, cancelled)?;
            // Open until here: its end tells the script that hardway is gone.
            drop(stdin);
            let said = said.join().unwrap_or_default();
            self.judge(status, said.trim_end())
        })
    }

    fn command(&self, script: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command
            // Neither the system's nor the user's start-up file.
            .args(["-n", "-N"])
            .arg(script)
            .args(["--base", self.base])
            .args(["--scale", &self.scale.to_string()])
            .args(["--flake-sha256", &self.flake_sha256])
            .arg("--log")
            .arg(&self.log);
        if let (Some(node), Some(keys)) = (self.node, &self.keys_sha256) {
            command.args(["--node", node, "--keys-sha256", keys]);
        }
        if self.self_contained {
            command.args(["--substituter", "none"]);
        }
        command
            .arg("--")
            .args(&self.qemu)
            // Ctrl-C comes to hardway alone, which then ends every installation.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn judge(&self, status: ExitStatus, said: &str) -> Result<()> {
        let log = self.log.display();
        let hint = match status.code() {
            Some(0) => return Ok(()),
            Some(STOPPED) => {
                return Err(anyhow!("interrupted; the next run begins it anew")
                    .context(Code(INTERRUPTED)));
            }
            _ if self.host_is_full() => format!(
                "the host's disk is full: make room where {} is",
                self.log.parent().unwrap_or(&self.log).display()
            ),
            Some(SHELL) => "is the medium NixOS' minimal ISO (no desktop)? The log has all that it printed".to_owned(),
            Some(NETWORK) => "the guest reaches the internet through this host: check its network and DNS; \
                 a medium that holds all packages needs none (--offline)"
                .to_owned(),
            Some(INSTALL) => format!("read what nixos-install printed: less -R {log}"),
            Some(QEMU_ENDED) => "QEMU's own message is the last line of the log".to_owned(),
            Some(DISK_FULL) => "give the disk more room: DISK_SIZE (GiB) in cluster.env".to_owned(),
            Some(CHECKSUM) => "the serial line lost something: run it again".to_owned(),
            Some(LEAK) => "a module in cluster.json holds a key; keep keys out of Nix files: the store is readable by all".to_owned(),
            _ => format!("the whole log: less -R {log}"),
        };
        let said = if said.is_empty() {
            format!("expect ended without a word ({status})")
        } else {
            said.to_owned()
        };
        Err(anyhow!(said)).hint(hint)
    }

    fn host_is_full(&self) -> bool {
        self.log
            .parent()
            .and_then(|folder| rustix::fs::statvfs(folder).ok())
            .is_some_and(|room| room.f_bavail * room.f_frsize < HOST_FULL)
    }
}

/// Waits for the script's end; asks it to stop once `cancelled` is set.
fn wait(child: &mut Child, cancelled: &AtomicBool) -> Result<ExitStatus> {
    let mut asked: Option<Instant> = None;
    loop {
        if let Some(status) = child.try_wait().context("cannot wait for expect")? {
            return Ok(status);
        }
        match asked {
            None if cancelled.load(Ordering::SeqCst) => {
                // Not reaped yet, so the id is still the child's.
                if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
                    let _ = kill_process(pid, Signal::TERM);
                }
                asked = Some(Instant::now());
            }
            // Its end closes QEMU's terminal, which ends QEMU.
            Some(since) if since.elapsed() > STOP_LIMIT => {
                child.kill().context("cannot stop expect")?;
            }
            _ => {}
        }
        thread::sleep(Duration::from_millis(100));
    }
}
