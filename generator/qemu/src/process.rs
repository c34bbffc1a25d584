//! The life of a node's QEMU: start, find again, stop.
//!
//! QEMU detaches itself once it runs, so a failure to start is known at once.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};

use self::identity::Identity;
use super::agent::Agent;
use super::argument::{quoted, script};
use super::qmp::{GoOn, Qmp};
use super::segment::{Link, Transport};
use super::spec::{MachineSpec, Spoke};
use super::{Accelerator, Host, argv, port, segment};
use common::file;
use common::report::WithHint;
use common::state::{NodePaths, Paths};

mod identity;
mod shutdown;
mod usage;

pub use shutdown::{Asked, Shutdown};
pub(super) use usage::Transfer;
pub use usage::Usage;

/// QEMU is in the background within a second; a loaded host may need longer.
const START: Duration = Duration::from_secs(60);
/// How nice an emulated worker's machine is. Everything waits for the API server, and on
/// a host with fewer processors than machines the workers would take it from it. A nice
/// value of 5 is a third of the share (Linux, sched_prio_to_weight).
const YIELD: &str = "5";
/// How long QEMU may take to end after a signal.
const END: Duration = Duration::from_secs(5);

/// What the script does where it cannot make a FIFO: a file system need not have any.
const NO_FIFO: &str = "{ echo \"cannot make a FIFO: if this file system has none, move the \
     cluster's folder to another one\" >&2; exit 1; }";

/// A QEMU that ran when this value was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    name: String,
    /// The runtime folder.
    sockets: PathBuf,
    /// The FIFO from which QEMU takes commands when its sockets are gone.
    power: PathBuf,
    identity: Identity,
}

/// Starts the machine, unless it runs already, and returns once QEMU does. What its NIC on
/// the machines' network sees goes into the file `capture`.
pub fn start(
    host: &Host,
    paths: &Paths,
    spec: &MachineSpec,
    capture: Option<&Path>,
) -> Result<Running> {
    if let Some(running) = find(paths, &spec.name) {
        return Ok(running);
    }
    let files = paths.node(&spec.name);
    port::all_free(host.transport, spec)?;
    save_command_line(host, paths, spec, capture)?;
    let yields = host.accelerator == Accelerator::Tcg && spec.yields;
    launch(&files, yields)
        .and_then(|()| {
            find(paths, &spec.name)
                .ok_or_else(|| anyhow!("{}", complaint(&files)).context("QEMU ended at once"))
        })
        .inspect(|running| {
            if yields {
                running.yield_in_its_session();
            }
        })
        .with_context(|| format!("cannot start {}", spec.name))
        .hint(format!("run it by hand: sh {}", files.argv().display()))
}

/// Fails if a port of the host that this machine uses is taken, naming by whom.
pub fn ports_free(transport: Transport, spec: &MachineSpec) -> Result<()> {
    port::all_free(transport, spec)
}

/// Writes the machine's command line beside its disk, as a script that starts it:
/// after an installation, and again before each start.
pub fn save_command_line(
    host: &Host,
    paths: &Paths,
    spec: &MachineSpec,
    capture: Option<&Path>,
) -> Result<()> {
    let runtime = paths.create_runtime()?;
    let argv = argv::boot(host, paths, spec, capture)?;
    let links = match spec.segment {
        Some(_) => Some(segment::links(host.transport, spec, &runtime)?),
        None => None,
    };
    write_script(&paths.node(&spec.name), &argv, &runtime, links.as_deref())
}

/// Gives the segment's hub, if it runs, a link to `spoke`, whose machine does not run yet.
/// Who starts the hub by its saved command line gets that link too.
pub fn join_segment(host: &Host, paths: &Paths, hub: &MachineSpec, spoke: &Spoke) -> Result<()> {
    let Some([link, _]) = segment::join(host.transport, paths, &hub.name, spoke)? else {
        return Ok(());
    };
    let saved = fs::read_to_string(paths.node(&hub.name).argv()).unwrap_or_default();
    match saved.contains(&format!("id={link},")) {
        true => Ok(()),
        false => save_command_line(host, paths, hub, None),
    }
}

/// The QEMU of the machine `name`, installing or running, if it is alive. A number in a file
/// alone proves nothing: another process may have it by now.
pub fn find(paths: &Paths, name: impl AsRef<str>) -> Option<Running> {
    let name = name.as_ref();
    let files = paths.node(name);
    let recorded = fs::read(files.pid())
        .ok()
        .and_then(|text| serde_json::from_slice::<Identity>(&text).ok())
        .filter(Identity::alive);
    let identity = recorded.or_else(|| adopted(&files))?;
    Some(Running {
        name: name.to_owned(),
        sockets: paths.runtime(),
        power: files.fifo_in(),
        identity,
    })
}

/// The process of QEMU's own pid file, where its arguments name that file. It is
/// noted with its start time, so that it is known from then on.
fn adopted(files: &NodePaths) -> Option<Identity> {
    let pid_file = files.qemu_pid();
    let text = fs::read_to_string(&pid_file).ok()?;
    let identity = Identity::of(text.trim().parse().ok()?)?;
    let name = pid_file.as_os_str().as_bytes();
    let command_line = identity.command_line();
    if !command_line.windows(name.len()).any(|part| part == name) {
        return None;
    }
    // Where it can't be noted it is found by its arguments again.
    if let Ok(note) = serde_json::to_vec(&identity) {
        let _ = file::replace(&files.pid(), &note, file::PRIVATE);
    }
    Some(identity)
}

/// Runs the script until QEMU is in the background, in a session of its own: out
/// of reach of the terminal's Ctrl-C. `yields`: behind others, for a processor.
fn launch(files: &NodePaths, yields: bool) -> Result<()> {
    let log = files.qemu_log();
    let opened = fs::File::create(&log)
        .and_then(|_| fs::File::options().append(true).open(&log))
        .with_context(|| format!("cannot write {}", log.display()))?;
    let script = match yields {
        true => duct::cmd!("nice", "-n", YIELD, "sh", files.argv()),
        false => duct::cmd!("sh", files.argv()),
    };
    let script = script
        .stdin_null()
        .stdout_null()
        .stderr_file(opened)
        .unchecked()
        .start()
        .context("cannot run sh")?;
    match script.wait_timeout(START)? {
        Some(output) if output.status.success() => Ok(()),
        Some(output) => Err(anyhow!("{}", complaint(files)))
            .with_context(|| format!("QEMU failed ({})", output.status)),
        None => {
            script.kill()?;
            if let Some(late) = adopted(files) {
                late.end(END)?;
            }
            Err(anyhow!("{}", complaint(files)))
                .with_context(|| format!("QEMU was not up within {} s", START.as_secs()))
        }
    }
}

/// The last 20 lines of QEMU's log, without what it says of a port that has no peer on purpose.
pub(super) fn complaint(files: &NodePaths) -> String {
    let text = fs::read(files.qemu_log()).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let drain = format!("{} has no peer", segment::DRAIN);
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.ends_with(&drain))
        .collect();
    match lines.as_slice() {
        [] => format!("{} is empty", files.qemu_log().display()),
        lines => lines[lines.len().saturating_sub(20)..].join("\n"),
    }
}

/// The command line as a script that a person can read, and run by hand. `links` are those
/// of a machine on the segment.
fn write_script(
    files: &NodePaths,
    argv: &[OsString],
    runtime: &Path,
    links: Option<&[Link]>,
) -> Result<()> {
    let mut preparation =
        b"# This machine's command line. It runs in the background, complains in\n\
        # qemu.log, and ends with `hardway down`.\n"
            .to_vec();
    if links.is_some() {
        preparation.extend(
            b"# The hub's port `drain` leads nowhere, of which QEMU warns: so a frame for the\n\
            # segment's card is taken even while the guest is not up.\n",
        );
    }
    // What follows would take its sockets and FIFOs from a machine that runs. Of a stale pid
    // file's number another process may be: see `adopted`.
    let pid_file = quoted(files.qemu_pid().as_os_str());
    let guard = [
        &b"pid=$(cat "[..],
        &pid_file[..],
        &b" 2>/dev/null)\n\
          line=$({ tr '\\0' ' ' <\"/proc/$pid/cmdline\" || ps -ww -o args= -p \"$pid\"; } 2>/dev/null)\n\
          case $line in *"[..],
        &pid_file[..],
        &b"*) echo \"the machine runs already (process $pid)\" >&2; exit 1 ;; esac\n"[..],
    ];
    preparation.extend(guard.concat());
    preparation.extend(b"mkdir -p -m 0700 ");
    preparation.extend(quoted(runtime.as_os_str()));
    preparation.extend(b" || exit\n");
    // QEMU does not replace the socket file that a dead one left.
    for socket in links.into_iter().flatten().filter_map(Link::file) {
        preparation.extend(b"rm -f ");
        preparation.extend(quoted(socket.as_os_str()));
        preparation.push(b'\n');
    }
    // New ones, so that nothing is in them that was meant for an earlier machine.
    let fifos = [files.fifo_in(), files.fifo_out()].map(|fifo| quoted(fifo.as_os_str()));
    for (command, otherwise) in [("rm -f", "exit"), ("mkfifo -m 0600", NO_FIFO)] {
        preparation.extend(command.as_bytes());
        for fifo in &fifos {
            preparation.push(b' ');
            preparation.extend(fifo);
        }
        preparation.extend(b" || ");
        preparation.extend(otherwise.as_bytes());
        preparation.push(b'\n');
    }
    file::replace(&files.argv(), &script(argv, &preparation), 0o755)
}

impl Running {
    pub fn pid(&self) -> i32 {
        self.identity.pid
    }

    pub fn alive(&self) -> bool {
        self.identity.alive()
    }

    /// Linux may give processors to sessions first, and QEMU's is its own: there it is the
    /// session that has to be nice (sched(7), "The autogroup feature"). No other system
    /// has this file, and a machine runs as well without it.
    fn yield_in_its_session(&self) {
        let _ = fs::write(format!("/proc/{}/autogroup", self.pid()), YIELD);
    }

    /// The guest agent of this machine.
    pub fn agent(&self) -> Result<Agent> {
        Agent::connect(&self.socket("qga"))
    }

    /// The same, with a limit for its first answer.
    pub fn agent_within(&self, limit: Duration) -> Result<Agent> {
        Agent::connect_within(&self.socket("qga"), limit)
    }

    /// The serial console, for one at a time.
    pub fn console(&self) -> Result<UnixStream> {
        let socket = self.socket("con");
        UnixStream::connect(&socket)
            .with_context(|| format!("cannot connect to {}", socket.display()))
    }

    /// The same, with the whole conversation over at `end`.
    pub fn agent_until(&self, end: Instant) -> Result<Agent> {
        Agent::connect_until(&self.socket("qga"), end)
    }

    /// The same, with an earlier end for its first answer.
    pub fn agent_between(&self, first: Instant, end: Instant) -> Result<Agent> {
        Agent::connect_between(&self.socket("qga"), first, end)
    }

    /// QMP, with a limit for each step of it.
    pub fn qmp_within(&self, limit: Duration) -> Result<Qmp> {
        Qmp::connect_within(&self.socket("qmp"), limit)
    }

    /// QMP, waiting as long as `go_on` does not fail.
    pub(super) fn qmp_while(&self, go_on: &mut GoOn<'_>) -> Result<Qmp> {
        Qmp::connect_while(&self.socket("qmp"), go_on)
    }

    pub fn qmp(&self) -> Result<Qmp> {
        Qmp::connect(&self.socket("qmp"))
    }

    fn socket(&self, kind: &str) -> PathBuf {
        self.sockets.join(format!("{}.{kind}", self.name))
    }

    /// Ends the machine like a power cut: QEMU is asked to go, then made to.
    pub fn kill(&self) -> Result<()> {
        self.identity
            .end(END)
            .with_context(|| format!("cannot end {}'s QEMU", self.name))
    }
}

#[cfg(test)]
mod tests;
