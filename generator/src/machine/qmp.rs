//! QEMU's machine protocol (QMP): a machine's state, and what can be done to it
//! from outside. Reference: QEMU's docs/interop/qmp-spec.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::channel::{Channel, returned};

/// How long QEMU may take to answer a command; it does so at once or never.
const LIMIT: Duration = Duration::from_secs(10);

/// A connection to one machine's QEMU, which serves one at a time: drop it soon.
#[derive(Debug)]
pub struct Qmp {
    channel: Channel,
    limit: Duration,
}

impl Qmp {
    /// Connects and leaves the negotiation mode.
    pub fn connect(socket: &Path) -> Result<Self> {
        Self::connect_within(socket, LIMIT)
    }

    /// As [`Qmp::connect`], with a limit of one's own for this and for each command.
    pub fn connect_within(socket: &Path, limit: Duration) -> Result<Self> {
        let connect = || -> Result<Self> {
            let deadline = Instant::now() + limit;
            let mut channel = Channel::connect(socket, deadline)?;
            let greeting = channel.receive(deadline)?;
            greeting.get("QMP").context("no greeting")?;
            let mut qmp = Self { channel, limit };
            qmp.execute("qmp_capabilities", &json!({}))?;
            Ok(qmp)
        };
        connect().with_context(|| format!("QEMU does not answer on {}", socket.display()))
    }

    /// Runs `command` and returns what it returned. Events in between are skipped.
    pub fn execute(&mut self, command: &str, arguments: &Value) -> Result<Value> {
        self.execute_within(command, arguments, self.limit)
    }

    /// As [`Qmp::execute`], with a limit of one's own.
    pub fn execute_within(
        &mut self,
        command: &str,
        arguments: &Value,
        limit: Duration,
    ) -> Result<Value> {
        let mut run = || -> Result<Value> {
            let deadline = Instant::now() + limit;
            self.channel.request(command, arguments, deadline)?;
            loop {
                if let Some(value) = returned(self.channel.receive(deadline)?)? {
                    return Ok(value);
                }
            }
        };
        run().with_context(|| format!("QEMU's {command} failed"))
    }
}
