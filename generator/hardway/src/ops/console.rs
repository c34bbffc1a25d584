//! `hardway console`: the terminal as the serial console of a machine. What comes there
//! is in serial.log too, whoever is attached.

use std::io::{ErrorKind, IsTerminal, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use serde_json::json;

use super::interrupt::Interrupt;
use super::machines;
use super::terminal::Raw;
use common::report::{INTERRUPTED, Quiet, WithHint};
use common::state::Paths;
use model::topology::{Node, Topology};
use qemu::process::Running;

/// Ctrl-].
const LEAVE: u8 = 0x1d;

/// How soon a signal is noticed.
const LOOK: Duration = Duration::from_millis(200);

/// How long QEMU may take to tell whether anyone is attached.
const QEMU: Duration = Duration::from_secs(2);

/// Plain colours, and the cursor shown: a guest's program may have changed either.
const CALM: &[u8] = b"\x1b[0m\x1b[?25h\r\n";

/// Attaches standard input and output until Ctrl-], or until the machine ends.
pub fn attach(paths: &Paths, topology: &Topology, name: &str) -> Result<()> {
    let node = machines::named(topology, name)?;
    let running = machines::reachable(paths, node)
        .and_then(|running| free(&running, node).map(|()| running))
        .with_context(|| format!("cannot attach to {name}'s console"))?;
    if !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
        return Err(anyhow!("{name}'s console needs a terminal to be typed at")).hint(format!(
            "what it has said is in {}; `hardway logs {name}` shows the components' words",
            paths.node(&node.name).serial_log().display()
        ));
    }
    let stream = running.console()?;
    let interrupt = Interrupt::install()?;
    eprintln!("{name}'s console: Ctrl-] leaves, Enter may bring a prompt");
    let raw = Raw::new().context("cannot take over the terminal")?;
    let end = relay(stream, &interrupt);
    let _ = std::io::stdout().write_all(CALM);
    drop(raw);
    match end? {
        End::Left => {
            eprintln!("left {name}'s console; the machine runs on");
            Ok(())
        }
        End::Interrupted => Err(Quiet(INTERRUPTED).into()),
        End::Gone => Err(anyhow!("{name}'s machine has ended")).hint("start it: hardway up"),
    }
}

/// Fails where someone is attached: QEMU serves one, and lets others wait in silence.
fn free(running: &Running, node: &Node) -> Result<()> {
    let Ok(chardevs) = running
        .qmp_within(QEMU)
        .and_then(|mut qmp| qmp.execute("query-chardev", &json!({})))
    else {
        return Ok(());
    };
    let taken = chardevs.as_array().into_iter().flatten().any(|chardev| {
        chardev["label"] == "serial"
            && chardev["filename"]
                .as_str()
                .is_some_and(|name| !name.starts_with("disconnected:"))
    });
    if taken {
        return Err(anyhow!("someone is attached to it already")).hint(format!(
            "leave it there with Ctrl-], or look for another `hardway console {}`",
            node.name
        ));
    }
    Ok(())
}

enum End {
    Left,
    Interrupted,
    Gone,
}

/// Copies both ways. The typing has a thread of its own, which the process outlives:
/// macOS can't wait for a terminal and a socket at once.
fn relay(mut stream: UnixStream, interrupt: &Interrupt) -> Result<End> {
    let left = Arc::new(AtomicBool::new(false));
    stream.set_read_timeout(Some(LOOK))?;
    let (typed, leaving) = (stream.try_clone()?, Arc::clone(&left));
    thread::spawn(move || {
        // Whatever ends it, the other side must end too.
        let _ = type_into(&typed);
        leaving.store(true, Ordering::SeqCst);
        let _ = typed.shutdown(Shutdown::Both);
    });
    let mut block = [0; 4096];
    let mut screen = std::io::stdout();
    loop {
        if interrupt.requested() {
            return Ok(End::Interrupted);
        }
        let count = match stream.read(&mut block) {
            Ok(0) if left.load(Ordering::SeqCst) => return Ok(End::Left),
            Ok(0) => return Ok(End::Gone),
            Ok(count) => count,
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                ) =>
            {
                continue;
            }
            Err(_) if left.load(Ordering::SeqCst) => return Ok(End::Left),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(End::Gone),
            Err(error) => return Err(error).context("the console breaks off"),
        };
        screen
            .write_all(&block[..count])
            .and_then(|()| screen.flush())
            .context("cannot write to the terminal")?;
    }
}

/// Sends what is typed, up to Ctrl-] or the end of the terminal.
fn type_into(mut stream: &UnixStream) -> std::io::Result<()> {
    let mut keys = std::io::stdin().lock();
    let mut block = [0; 256];
    loop {
        let count = match keys.read(&mut block) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let (before, leaves) = until_leave(&block[..count]);
        stream.write_all(before)?;
        if leaves {
            return Ok(());
        }
    }
}

/// What was typed before Ctrl-], and whether that was typed.
fn until_leave(keys: &[u8]) -> (&[u8], bool) {
    match keys.iter().position(|key| *key == LEAVE) {
        Some(at) => (&keys[..at], true),
        None => (keys, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_before_leaving_still_goes_there() {
        assert_eq!(until_leave(b"ls\r\x1dmore"), (&b"ls\r"[..], true));
        assert_eq!(until_leave(b"\x03"), (&b"\x03"[..], false));
    }
}
