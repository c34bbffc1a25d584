//! The QEMU guest agent: commands inside a guest without a network or a login.
//!
//! Reference: QEMU's docs/interop/qemu-ga-ref. The channel outlives both ends, so
//! each conversation starts with a handshake that drains what someone else left.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// How long the agent may take to answer; an emulated guest at work is slow.
const LIMIT: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub struct Agent {
    stream: BufReader<UnixStream>,
}

/// What a command in the guest did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Its exit code; 128 where a signal ended it.
    pub code: i64,
    pub stdout: String,
    pub stderr: String,
}

impl Agent {
    /// Connects to the channel and waits until the agent answers there, up to 20 s.
    pub fn connect(socket: &Path) -> Result<Self> {
        Self::connect_within(socket, LIMIT)
    }

    /// As [`Agent::connect`], with a limit of one's own for the handshake.
    pub fn connect_within(socket: &Path, limit: Duration) -> Result<Self> {
        let connect = || -> Result<Self> {
            let stream = UnixStream::connect(socket)?;
            stream.set_read_timeout(Some(limit))?;
            stream.set_write_timeout(Some(limit))?;
            let mut agent = Self {
                stream: BufReader::new(stream),
            };
            agent.synchronize()?;
            agent.stream.get_mut().set_read_timeout(Some(LIMIT))?;
            Ok(agent)
        };
        connect()
            .with_context(|| format!("the guest agent does not answer on {}", socket.display()))
    }

    fn synchronize(&mut self) -> Result<()> {
        let token = SystemTime::now().duration_since(UNIX_EPOCH)?.subsec_nanos();
        // 0xff makes the agent forget a half-read command, and comes back before the answer.
        self.stream.get_mut().write_all(b"\xff")?;
        self.send("guest-sync-delimited", &json!({ "id": token }))?;
        loop {
            let mut skipped = Vec::new();
            self.stream.read_until(0xff, &mut skipped)?;
            if skipped.last() != Some(&0xff) {
                bail!("the agent closed the connection");
            }
            if self.receive()?["return"] == token {
                return Ok(());
            }
        }
    }

    fn send(&mut self, command: &str, arguments: &Value) -> Result<()> {
        let request = json!({ "execute": command, "arguments": arguments });
        writeln!(self.stream.get_mut(), "{request}").context("cannot write to the guest agent")
    }

    fn receive(&mut self) -> Result<Value> {
        let mut line = Vec::new();
        if self.stream.read_until(b'\n', &mut line)? == 0 {
            bail!("the agent closed the connection");
        }
        serde_json::from_slice(&line)
            .with_context(|| format!("the agent said {:?}", String::from_utf8_lossy(&line)))
    }

    /// Runs one of the agent's own commands.
    pub fn execute(&mut self, command: &str, arguments: &Value) -> Result<Value> {
        self.send(command, arguments)?;
        let mut answer = self
            .receive()
            .with_context(|| format!("no answer to {command}"))?;
        if let Some(error) = answer.get("error") {
            bail!(
                "the agent refuses {command}: {}",
                error["desc"].as_str().unwrap_or("no reason")
            );
        }
        Ok(answer["return"].take())
    }

    pub fn ping(&mut self) -> Result<()> {
        self.execute("guest-ping", &json!({})).map(|_| ())
    }

    /// Runs a program in the guest, as root, and waits for its end, up to `limit`.
    pub fn exec(&mut self, argv: &[&str], limit: Duration) -> Result<Output> {
        let (program, arguments) = argv.split_first().context("no program to run")?;
        let started = self.execute(
            "guest-exec",
            &json!({ "path": program, "arg": arguments, "capture-output": true }),
        )?;
        let deadline = Instant::now() + limit;
        loop {
            let status = self.execute("guest-exec-status", &json!({ "pid": started["pid"] }))?;
            if status["exited"] == true {
                let text = |field: &str| -> Result<String> {
                    let data = STANDARD.decode(status[field].as_str().unwrap_or_default())?;
                    Ok(String::from_utf8_lossy(&data).into_owned())
                };
                return Ok(Output {
                    code: status["exitcode"].as_i64().unwrap_or(128),
                    stdout: text("out-data")?,
                    stderr: text("err-data")?,
                });
            }
            if Instant::now() > deadline {
                bail!(
                    "`{}` did not end within {} s in the guest",
                    argv.join(" "),
                    limit.as_secs()
                );
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Asks the guest to power itself off; no answer comes.
    pub fn shutdown(&mut self) -> Result<()> {
        self.send("guest-shutdown", &json!({ "mode": "powerdown" }))
    }
}
