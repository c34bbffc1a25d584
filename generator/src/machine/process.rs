//! The life of a node's QEMU: start, find again, stop.
//!
//! QEMU detaches itself once it runs, so a failure to start is known at once. A
//! process is only believed to be ours if it started when we say that it did: a
//! process id alone may by now be anyone's.

use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::agent::Agent;
use super::argv;
use super::qmp::Qmp;
use super::{Host, segment};
use crate::report::WithHint;
use crate::state::Paths;
use crate::topology::{Node, NodeName, Topology};

/// A QEMU that runs now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    node: NodeName,
    sockets: std::path::PathBuf,
    identity: Identity,
}

/// A process that cannot be mistaken for a later one of the same id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub pid: i32,
    /// When it started, in the operating system's own words.
    pub started: String,
}

impl Identity {
    /// The identity of the process `pid`, if there is one.
    pub fn of(pid: i32) -> Option<Self> {
        started(pid).map(|started| Self { pid, started })
    }

    pub fn alive(&self) -> bool {
        started(self.pid).as_ref() == Some(&self.started)
    }

    /// Sends `signal`, if the process is still the same.
    fn signal(&self, signal: Signal) {
        if let (true, Some(pid)) = (self.alive(), Pid::from_raw(self.pid)) {
            // It may have ended in between, which is what was wanted.
            let _ = kill_process(pid, signal);
        }
    }

    fn wait(&self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        while self.alive() {
            if Instant::now() > deadline {
                return false;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        true
    }

    /// Ends the process: asks, then does not ask.
    pub fn end(&self) -> Result<()> {
        self.signal(Signal::TERM);
        if !self.wait(Duration::from_secs(5)) {
            self.signal(Signal::KILL);
            if !self.wait(Duration::from_secs(5)) {
                bail!("process {} does not end, not even on SIGKILL", self.pid);
            }
        }
        Ok(())
    }
}

/// Start time of a live process; a zombie counts as ended.
fn started(pid: i32) -> Option<String> {
    if cfg!(target_os = "linux") {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name in parentheses may hold anything; fields 3 and 22 follow (proc(5)).
        let (_, fields) = stat.rsplit_once(')')?;
        let mut fields = fields.split_whitespace();
        let state = fields.next()?;
        (state != "Z").then(|| fields.nth(18).map(ToOwned::to_owned))?
    } else {
        let output = Command::new("ps")
            .args(["-o", "lstart=", "-p", &pid.to_string()])
            .output()
            .ok()?;
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        (!text.is_empty()).then_some(text)
    }
}

/// Starts the node's machine and returns once QEMU runs.
pub fn start(host: &Host, paths: &Paths, topology: &Topology, node: &Node) -> Result<Running> {
    let files = paths.node(&node.name);
    let runtime = paths.create_runtime()?;
    ports_are_free(topology, node)?;
    let argv = argv::boot(host, paths, topology, node)?;
    // QEMU does not replace the socket file that a dead one left.
    let stale: Vec<_> = segment::links(topology, node, &runtime)
        .into_iter()
        .map(|link| link.local)
        .collect();
    write_script(&files.argv(), &argv, &stale)?;

    let log = fs::File::create(files.qemu_log())
        .with_context(|| format!("cannot write {}", files.qemu_log().display()))?;
    let status = Command::new("sh")
        .arg(files.argv())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .status()
        .context("cannot run sh")?;
    if !status.success() {
        let said = fs::read_to_string(files.qemu_log()).unwrap_or_default();
        let failed: Result<Running> = Err(anyhow!("{}", said.trim().to_owned()))
            .with_context(|| format!("QEMU does not start {} ({status})", node.name));
        return failed.hint(format!("run it by hand: sh {}", files.argv().display()));
    }
    adopt(paths, &node.name)?
        .with_context(|| format!("{}'s QEMU ended right after its start", node.name))
        .hint(format!("see {}", files.serial_log().display()))
}

/// Notes the QEMU whose id stands in the pid file that it wrote itself.
fn adopt(paths: &Paths, node: &NodeName) -> Result<Option<Running>> {
    let file = paths.node(node).dir.join("qemu.pid");
    let text =
        fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let pid = text
        .trim()
        .parse()
        .with_context(|| format!("{} holds {text:?}, no process id", file.display()))?;
    let Some(identity) = Identity::of(pid) else {
        return Ok(None);
    };
    record(paths, node, &identity)?;
    Ok(Some(running(paths, node, identity)))
}

/// Writes down which process is the node's QEMU, installing or running.
pub fn record(paths: &Paths, node: &NodeName, identity: &Identity) -> Result<()> {
    let file = paths.node(node).pid();
    fs::write(&file, format!("{}\n", serde_json::to_string(identity)?))
        .with_context(|| format!("cannot write {}", file.display()))
}

fn running(paths: &Paths, node: &NodeName, identity: Identity) -> Running {
    Running {
        node: node.clone(),
        sockets: paths.runtime(),
        identity,
    }
}

/// The node's QEMU, if it runs. A pid file whose process is another's by now, or
/// that is broken, is no machine.
pub fn find(paths: &Paths, node: &NodeName) -> Option<Running> {
    let recorded = fs::read_to_string(paths.node(node).pid())
        .ok()
        .and_then(|text| serde_json::from_str::<Identity>(&text).ok())
        .filter(Identity::alive);
    if let Some(identity) = recorded {
        return Some(running(paths, node, identity));
    }
    // Started by hand from the saved command line: QEMU's own pid file, believed
    // only where QEMU also answers for this node.
    let socket = paths.runtime().join(format!("{node}.qmp"));
    Qmp::connect(&socket).ok()?;
    adopt(paths, node).ok().flatten()
}

impl Running {
    pub fn pid(&self) -> i32 {
        self.identity.pid
    }

    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    pub fn alive(&self) -> bool {
        self.identity.alive()
    }

    /// The guest agent of this machine.
    pub fn agent(&self) -> Result<Agent> {
        Agent::connect(&self.socket("qga"))
    }

    pub fn qmp(&self) -> Result<Qmp> {
        Qmp::connect(&self.socket("qmp"))
    }

    fn socket(&self, kind: &str) -> std::path::PathBuf {
        self.sockets.join(format!("{}.{kind}", self.node))
    }

    /// Shuts the guest down in order; false where it had not ended within `limit`.
    pub fn stop(&self, limit: Duration) -> Result<bool> {
        let asked = Agent::connect_within(&self.socket("qga"), Duration::from_secs(5))
            .and_then(|mut agent| agent.shutdown());
        if asked.is_err() {
            // No agent yet, or no more: press the power button.
            let pressed = self
                .qmp()
                .and_then(|mut qmp| qmp.execute("system_powerdown", &json!({})));
            if pressed.is_err() && !self.alive() {
                return Ok(true);
            }
        }
        Ok(self.identity.wait(limit))
    }

    /// Ends the machine like a power cut.
    pub fn kill(&self) -> Result<()> {
        self.identity
            .end()
            .with_context(|| format!("cannot end {}'s QEMU", self.node))
    }
}

/// The command line as a script that a person can read, and run by hand.
fn write_script(
    file: &Path,
    argv: &[std::ffi::OsString],
    stale: &[std::path::PathBuf],
) -> Result<()> {
    let mut script = "#!/bin/sh\n# This machine's command line. It runs in the background; \
                      `hardway down` ends it.\n"
        .to_owned();
    for path in stale {
        let _ = writeln!(script, "rm -f {}", quoted(&path.to_string_lossy()));
    }
    script.push_str("exec");
    for word in argv {
        let word = word.to_string_lossy();
        // An option and its value share a line.
        script += if word.starts_with('-') {
            " \\\n  "
        } else {
            " "
        };
        script += &quoted(&word);
    }
    script.push('\n');
    fs::write(file, script).with_context(|| format!("cannot write {}", file.display()))?;
    fs::set_permissions(file, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

/// One word of a POSIX shell's command line.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./=,:+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Refuses to start where a forwarded port is taken, and says by whom if it can be told.
pub fn ports_are_free(topology: &Topology, node: &Node) -> Result<()> {
    for (port, _) in argv::forwards(topology, node) {
        if let Err(error) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            let holder = holder(port)
                .map(|who| format!(", by {who}"))
                .unwrap_or_default();
            let taken: Result<()> = Err(error).with_context(|| {
                format!(
                    "{} needs port {port} of 127.0.0.1, which is taken{holder}",
                    node.name
                )
            });
            return taken.hint(if port == topology.api_port {
                format!(
                    "stop that program, or set API_PORT={} in cluster.env",
                    u32::from(port) + 1
                )
            } else {
                format!(
                    "stop that program, or change nodes.{}.forwards in cluster.json",
                    node.name
                )
            });
        }
    }
    Ok(())
}

/// Who listens on `port`: "NAME (process PID)".
fn holder(port: u16) -> Option<String> {
    if !cfg!(target_os = "linux") {
        let output = Command::new("lsof")
            .args(["-nP", "-sTCP:LISTEN", "-Fpc", &format!("-iTCP:{port}")])
            .output()
            .ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let field = |tag: char| text.lines().find_map(|line| line.strip_prefix(tag));
        return Some(format!("{} (process {})", field('c')?, field('p')?));
    }
    // /proc/net/tcp: local address as hex, state 0A is LISTEN, field 9 the socket's inode.
    let inode = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .find_map(|table| {
            fs::read_to_string(table)
                .ok()?
                .lines()
                .skip(1)
                .find_map(|line| {
                    let fields: Vec<&str> = line.split_whitespace().collect();
                    let local = fields.get(1)?.rsplit(':').next()?;
                    let listens =
                        u16::from_str_radix(local, 16).ok()? == port && *fields.get(3)? == "0A";
                    listens.then(|| fields.get(9).map(ToString::to_string))?
                })
        })?;
    let socket = format!("socket:[{inode}]");
    fs::read_dir("/proc").ok()?.flatten().find_map(|process| {
        let pid: u32 = process.file_name().to_str()?.parse().ok()?;
        let owns = fs::read_dir(process.path().join("fd"))
            .ok()?
            .flatten()
            .any(|fd| {
                fs::read_link(fd.path()).is_ok_and(|target| target.to_string_lossy() == socket)
            });
        let name = fs::read_to_string(process.path().join("comm")).ok()?;
        owns.then(|| format!("{} (process {pid})", name.trim()))
    })
}
