//! QEMU's machine protocol (QMP): a machine's state, and what can be done to it
//! from outside. Reference: QEMU's docs/interop/qmp-spec.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::channel::{Channel, left, returned};

/// How long QEMU may take to answer who only looks. While it works on a snapshot it
/// answers nothing: see movement.rs for how that is waited for.
const LIMIT: Duration = Duration::from_secs(10);

/// Between two questions whether to wait on.
const SLICE: Duration = Duration::from_millis(50);

/// Asked again and again during a wait: its error ends it.
pub type GoOn<'a> = dyn FnMut() -> Result<()> + 'a;

/// A connection to one machine's QEMU, which serves one at a time: drop it soon.
#[derive(Debug)]
pub struct Qmp {
    channel: Channel,
    limit: Duration,
    /// The last command's: a reply that comes after its wait was given up is known by it.
    id: u64,
}

impl Qmp {
    /// Connects and leaves the negotiation mode.
    pub fn connect(socket: &Path) -> Result<Self> {
        Self::connect_within(socket, LIMIT)
    }

    /// As [`Qmp::connect`], with a limit of one's own for this and for each command.
    pub fn connect_within(socket: &Path, limit: Duration) -> Result<Self> {
        Self::negotiate(socket, limit, &mut until(Instant::now() + limit))
    }

    /// As [`Qmp::connect`], waiting for QEMU as long as `go_on` does not fail.
    pub fn connect_while(socket: &Path, go_on: &mut GoOn<'_>) -> Result<Self> {
        Self::negotiate(socket, LIMIT, go_on)
    }

    fn negotiate(socket: &Path, limit: Duration, go_on: &mut GoOn<'_>) -> Result<Self> {
        let mut connect = || -> Result<Self> {
            let channel = Channel::connect(socket, Instant::now() + limit)?;
            let id = 0;
            let mut qmp = Self { channel, limit, id };
            let greeting = qmp.receive(go_on)?;
            greeting.get("QMP").context("no greeting")?;
            qmp.execute_while("qmp_capabilities", &json!({}), go_on)?;
            Ok(qmp)
        };
        connect().with_context(|| format!("QEMU does not answer on {}", socket.display()))
    }

    /// Runs `command` and returns what it returned. Events in between are skipped.
    pub fn execute(&mut self, command: &str, arguments: &Value) -> Result<Value> {
        self.execute_while(command, arguments, &mut until(Instant::now() + self.limit))
    }

    /// As [`Qmp::execute`], waiting as long as `go_on` does not fail.
    pub fn execute_while(
        &mut self,
        command: &str,
        arguments: &Value,
        go_on: &mut GoOn<'_>,
    ) -> Result<Value> {
        let mut run = || -> Result<Value> {
            self.id += 1;
            let request = json!({ "execute": command, "arguments": arguments, "id": self.id });
            let deadline = Instant::now() + self.limit;
            self.channel
                .send(format!("{request}\n").as_bytes(), deadline)?;
            loop {
                let line = self.receive(go_on)?;
                if line["id"] == self.id
                    && let Some(value) = returned(line)?
                {
                    return Ok(value);
                }
            }
        };
        run().with_context(|| format!("QEMU's {command} failed"))
    }

    fn receive(&mut self, go_on: &mut GoOn<'_>) -> Result<Value> {
        loop {
            if let Some(line) = self.channel.receive_by(Instant::now() + SLICE)? {
                return Ok(line);
            }
            go_on()?;
        }
    }
}

fn until(deadline: Instant) -> impl FnMut() -> Result<()> {
    move || left(deadline).map(drop)
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::os::unix::net::UnixListener;
    use std::sync::mpsc;

    use super::*;

    /// A reply that comes after its wait was given up answers no later command.
    #[test]
    fn a_late_reply_is_not_taken_for_another_commands() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("qmp");
        let listener = UnixListener::bind(&socket).unwrap();
        let qemu = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            stream.write_all(b"{\"QMP\": {}}\n").unwrap();
            let mut held = None;
            for line in lines {
                let request: Value = serde_json::from_str(&line.unwrap()).unwrap();
                let answer = json!({ "return": request["execute"], "id": request["id"] });
                if request["execute"] == "slow" {
                    held = Some(answer);
                    continue;
                }
                for answer in held.take().into_iter().chain([answer]) {
                    stream.write_all(format!("{answer}\n").as_bytes()).unwrap();
                }
            }
        });
        let (asked, questions) = mpsc::channel();
        let mut qmp = Qmp::connect_within(&socket, Duration::from_secs(60)).unwrap();
        let gave_up = qmp.execute_while("slow", &json!({}), &mut || {
            asked.send(()).unwrap();
            anyhow::bail!("given up")
        });
        assert_eq!(
            format!("{:#}", gave_up.unwrap_err()),
            "QEMU's slow failed: given up"
        );
        assert_eq!(questions.try_iter().count(), 1);
        assert_eq!(qmp.execute("quick", &json!({})).unwrap(), "quick");
        drop(qmp);
        qemu.join().unwrap();
    }
}
