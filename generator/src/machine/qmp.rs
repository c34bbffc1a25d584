//! QEMU's machine protocol (QMP): one JSON object a line over a Unix socket.
//!
//! Reference: QEMU's docs/interop/qmp-spec. Events in between are skipped.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// How long QEMU may take to answer a command; it does so at once or never.
const LIMIT: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub struct Qmp {
    stream: BufReader<UnixStream>,
}

impl Qmp {
    /// Connects and leaves the negotiation mode.
    pub fn connect(socket: &Path) -> Result<Self> {
        let connect = || -> Result<Self> {
            let stream = UnixStream::connect(socket)?;
            stream.set_read_timeout(Some(LIMIT))?;
            stream.set_write_timeout(Some(LIMIT))?;
            let mut qmp = Self {
                stream: BufReader::new(stream),
            };
            qmp.read()?;
            qmp.execute("qmp_capabilities", &json!({}))?;
            Ok(qmp)
        };
        connect().with_context(|| format!("QEMU does not answer on {}", socket.display()))
    }

    /// Runs `command` and returns what it returned.
    pub fn execute(&mut self, command: &str, arguments: &Value) -> Result<Value> {
        let request = json!({ "execute": command, "arguments": arguments });
        writeln!(self.stream.get_mut(), "{request}")?;
        loop {
            let mut answer = self
                .read()
                .with_context(|| format!("no answer to {command}"))?;
            if let Some(error) = answer.get("error") {
                bail!(
                    "QEMU refuses {command}: {}",
                    error["desc"].as_str().unwrap_or("no reason")
                );
            }
            if let Some(value) = answer.get_mut("return") {
                return Ok(value.take());
            }
        }
    }

    fn read(&mut self) -> Result<Value> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            bail!("QEMU closed the connection");
        }
        serde_json::from_str(&line).with_context(|| format!("QEMU said {line:?}"))
    }
}
