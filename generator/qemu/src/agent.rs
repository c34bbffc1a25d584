//! The QEMU guest agent: commands inside a guest without a network or a login.
//!
//! Reference: QEMU's docs/interop/qemu-ga-ref. The channel outlives both ends, so
//! each conversation starts with a handshake that drains what someone else left.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::channel::{Channel, returned};

/// How long the agent may take to answer; an emulated guest at work is slow.
const LIMIT: Duration = Duration::from_secs(20);
/// Pauses between two questions whether a command has ended: from, up to.
const PAUSE: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));

/// Where a command's standard input goes in its request.
const INPUT: &str = r#""input-data":""#;
const EMPTY_INPUT: &str = r#""input-data":"""#;

/// A connection to one guest's agent. QEMU serves one at a time: drop it soon.
#[derive(Debug)]
pub struct Agent {
    channel: Channel,
    /// When all of the conversation must be over, where there is such a time.
    end: Option<Instant>,
}

/// What a command in the guest did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Its exit code; as in a shell, 128 and the signal's number where one ended it.
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
        Self::handshake(socket, Instant::now() + limit, None)
    }

    /// As [`Agent::connect`], with the handshake and all that follows over at `end`.
    pub fn connect_until(socket: &Path, end: Instant) -> Result<Self> {
        Self::handshake(socket, end, Some(end))
    }

    /// As [`Agent::connect_until`], with an earlier end for the handshake.
    pub fn connect_between(socket: &Path, handshake: Instant, end: Instant) -> Result<Self> {
        Self::handshake(socket, handshake.min(end), Some(end))
    }

    fn handshake(socket: &Path, deadline: Instant, end: Option<Instant>) -> Result<Self> {
        let connect = || -> Result<Self> {
            let mut channel = Channel::connect(socket, deadline)?;
            let token = SystemTime::now().duration_since(UNIX_EPOCH)?.subsec_nanos();
            // 0xff makes the agent forget a half-read command, and comes back before the answer.
            channel.send(b"\xff", deadline)?;
            channel.request("guest-sync-delimited", &json!({ "id": token }), deadline)?;
            let wanted = json!({ "return": token });
            loop {
                let line = channel.line(deadline)?;
                let Some(mark) = line.iter().rposition(|byte| *byte == 0xff) else {
                    continue;
                };
                if serde_json::from_slice::<Value>(&line[mark + 1..]).is_ok_and(|it| it == wanted) {
                    break;
                }
            }
            Ok(Self { channel, end })
        };
        connect()
            .with_context(|| format!("the guest agent does not answer on {}", socket.display()))
    }

    /// The end of something that may take as long as `limit`.
    fn deadline(&self, limit: Duration) -> Instant {
        let deadline = Instant::now() + limit;
        self.end.map_or(deadline, |end| end.min(deadline))
    }

    /// Runs one of the agent's own commands.
    pub fn execute(&mut self, command: &str, arguments: &Value) -> Result<Value> {
        let deadline = self.deadline(LIMIT);
        self.channel.request(command, arguments, deadline)?;
        self.answer(command, deadline)
    }

    fn answer(&mut self, command: &str, deadline: Instant) -> Result<Value> {
        self.channel
            .receive(deadline)
            .and_then(returned)
            .with_context(|| format!("the guest agent's {command} failed"))?
            .with_context(|| format!("the guest agent's {command} gave no result"))
    }

    pub fn ping(&mut self) -> Result<()> {
        self.execute("guest-ping", &json!({})).map(drop)
    }

    /// Runs a program in the guest, as root, and waits for its end, up to `limit`.
    /// One that takes longer goes on: the agent has no way to stop it.
    pub fn exec(&mut self, argv: &[&str], limit: Duration) -> Result<Output> {
        self.exec_with_input(argv, b"", limit)
    }

    /// As [`Agent::exec`], with `input` on the program's standard input.
    pub fn exec_with_input(
        &mut self,
        argv: &[&str],
        input: &[u8],
        limit: Duration,
    ) -> Result<Output> {
        let (program, arguments) = argv.split_first().context("no program to run")?;
        let deadline = self.deadline(limit);
        let mut command = json!({ "path": program, "arg": arguments, "capture-output": true });
        let started = if input.is_empty() {
            self.execute("guest-exec", &command)?
        } else {
            // The input may be keys: whoever frees this text must not leave them behind.
            command["input-data"] = json!("");
            let request = json!({ "execute": "guest-exec", "arguments": command }).to_string();
            let mut whole = Zeroizing::new(String::with_capacity(
                request.len() + input.len().div_ceil(3) * 4 + 1,
            ));
            let (before, after) = request
                .split_once(EMPTY_INPUT)
                .context("a request without input")?;
            whole.push_str(before);
            whole.push_str(INPUT);
            STANDARD.encode_string(input, &mut whole);
            whole.push('"');
            whole.push_str(after);
            whole.push('\n');
            let deadline = self.deadline(LIMIT);
            self.channel.send(whole.as_bytes(), deadline)?;
            self.answer("guest-exec", deadline)?
        };
        let pid = json!({ "pid": started.get("pid") });
        let mut pause = PAUSE.0;
        loop {
            let status = self.execute("guest-exec-status", &pid)?;
            if status.get("exited") == Some(&json!(true)) {
                return output(&status);
            }
            if Instant::now() > deadline {
                bail!(
                    "`{}` did not end within {} s in the guest",
                    argv.join(" "),
                    limit.as_secs()
                );
            }
            sleep(pause);
            pause = (pause * 2).min(PAUSE.1);
        }
    }

    /// By how much the guest's clock is behind the host's; none where it is not.
    pub fn behind(&mut self) -> Result<Duration> {
        // Asked before: what the question takes must not count.
        let host = SystemTime::now().duration_since(UNIX_EPOCH)?;
        let guest = self
            .execute("guest-get-time", &json!({}))?
            .as_u64()
            .context("the guest agent's time is no number")?;
        Ok(host.saturating_sub(Duration::from_nanos(guest)))
    }

    /// Sets the guest's clock to the host's.
    pub fn set_clock(&mut self) -> Result<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        let nanoseconds = json!({ "time": u64::try_from(now.as_nanos())? });
        if self.execute("guest-set-time", &nanoseconds).is_ok() {
            return Ok(());
        }
        // The agent sets none where it finds no hwclock.
        let script = format!("exec date -u -s @{}", now.as_secs());
        let output = self.exec(&["/bin/sh", "-c", &script], LIMIT)?;
        if output.code != 0 {
            bail!("`{script}` failed in the guest: {}", output.stderr.trim());
        }
        Ok(())
    }

    /// Asks the guest to power itself off. It answers only where it refuses: see
    /// [`Agent::refusal`].
    pub fn shutdown(&mut self) -> Result<()> {
        let deadline = self.deadline(LIMIT);
        self.channel
            .request("guest-shutdown", &json!({ "mode": "powerdown" }), deadline)
    }

    /// Why the agent refuses the shutdown that it was asked for, if it says so within `limit`.
    pub fn refusal(&mut self, limit: Duration) -> Option<anyhow::Error> {
        let answer = self.channel.receive(Instant::now() + limit).ok()?;
        let refusal = returned(answer).err()?;
        Some(refusal.context("the guest agent refuses to shut the guest down"))
    }
}

fn output(status: &Value) -> Result<Output> {
    let text = |field: &str| -> Result<String> {
        let data = status
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default();
        let data = STANDARD
            .decode(data)
            .with_context(|| format!("the guest agent's {field} is no base64"))?;
        Ok(String::from_utf8_lossy(&data).into_owned())
    };
    let number = |field: &str| status.get(field).and_then(Value::as_i64);
    Ok(Output {
        code: number("exitcode")
            .or_else(|| Some(128 + number("signal")?))
            .context("the guest agent tells no exit code")?,
        stdout: text("out-data")?,
        stderr: text("err-data")?,
    })
}

#[cfg(test)]
mod tests;
