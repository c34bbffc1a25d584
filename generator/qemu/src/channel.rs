//! Lines of JSON over a Unix socket, each wait with a limit: what QMP and the
//! guest agent have in common.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use rustix::io::{Errno, FdFlags};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType};
use serde_json::{Value, json};

/// A reply of this size in bytes is none of ours.
const LONGEST_LINE: usize = 64 << 20;

#[derive(Debug)]
pub(super) struct Channel {
    stream: UnixStream,
    path: PathBuf,
    /// What has arrived behind the last whole line.
    pending: Vec<u8>,
}

impl Channel {
    /// Connects before `deadline`. QEMU serves one client at a time and lets few
    /// wait: a blocking connect could last for ever.
    pub(super) fn connect(path: &Path, deadline: Instant) -> Result<Self> {
        let connect = || -> Result<UnixStream, Errno> {
            let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
            rustix::io::fcntl_setfd(&socket, FdFlags::CLOEXEC)?;
            rustix::io::ioctl_fionbio(&socket, true)?;
            rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)?;
            rustix::io::ioctl_fionbio(&socket, false)?;
            Ok(UnixStream::from(socket))
        };
        loop {
            match connect() {
                Ok(stream) => {
                    return Ok(Self {
                        stream,
                        path: path.to_path_buf(),
                        pending: Vec::new(),
                    });
                }
                Err(Errno::AGAIN | Errno::INTR) if Instant::now() < deadline => {
                    sleep(Duration::from_millis(20));
                }
                Err(error) => {
                    return Err(error)
                        .with_context(|| format!("cannot connect to {}", path.display()));
                }
            }
        }
    }

    /// Sends a command with its arguments, as both protocols have it.
    pub(super) fn request(
        &mut self,
        command: &str,
        arguments: &Value,
        deadline: Instant,
    ) -> Result<()> {
        let request = json!({ "execute": command, "arguments": arguments });
        self.send(format!("{request}\n").as_bytes(), deadline)
    }

    pub(super) fn send(&mut self, bytes: &[u8], deadline: Instant) -> Result<()> {
        self.stream
            .set_write_timeout(Some(left(deadline)?))
            .and_then(|()| self.stream.write_all(bytes))
            .with_context(|| format!("cannot write to {}", self.path.display()))
    }

    /// The next line, which is JSON.
    pub(super) fn receive(&mut self, deadline: Instant) -> Result<Value> {
        let line = self.line(deadline)?;
        self.parse(&line)
    }

    /// The next line, which is JSON; none where it has not come by `until`.
    pub(super) fn receive_by(&mut self, until: Instant) -> Result<Option<Value>> {
        let line = self.line_by(until)?;
        line.map(|line| self.parse(&line)).transpose()
    }

    fn parse(&self, line: &[u8]) -> Result<Value> {
        serde_json::from_slice(line).with_context(|| {
            let said = String::from_utf8_lossy(line);
            format!("{} said {:?}", self.path.display(), said.trim())
        })
    }

    /// The next line, with its end.
    pub(super) fn line(&mut self, deadline: Instant) -> Result<Vec<u8>> {
        self.line_by(deadline)?
            .ok_or_else(no_answer)
            .with_context(|| format!("waited for an answer on {}", self.path.display()))
    }

    /// The same; none where it has not come by `until`.
    fn line_by(&mut self, until: Instant) -> Result<Option<Vec<u8>>> {
        let mut searched = 0;
        loop {
            if let Some(end) = self.pending[searched..]
                .iter()
                .position(|byte| *byte == b'\n')
            {
                return Ok(Some(self.pending.drain(..=searched + end).collect()));
            }
            searched = self.pending.len();
            if searched > LONGEST_LINE {
                bail!("{} sends a line without an end", self.path.display());
            }
            let Ok(left) = left(until) else {
                return Ok(None);
            };
            self.stream.set_read_timeout(Some(left))?;
            let mut block = [0; 64 << 10];
            match self.stream.read(&mut block) {
                Ok(0) => bail!("{} was closed by the other side", self.path.display()),
                Ok(count) => self.pending.extend_from_slice(&block[..count]),
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                    ) => {}
                Err(error) => {
                    return Err(error)
                        .with_context(|| format!("cannot read from {}", self.path.display()));
                }
            }
        }
    }
}

fn no_answer() -> anyhow::Error {
    anyhow!("no answer within the limit")
}

/// The time until `deadline`; an error once it has passed.
pub(super) fn left(deadline: Instant) -> Result<Duration> {
    Some(deadline.saturating_duration_since(Instant::now()))
        .filter(|left| !left.is_zero())
        .ok_or_else(no_answer)
}

/// The `return` of a reply, `None` for what is no reply; its `error` becomes one here.
pub(super) fn returned(mut reply: Value) -> Result<Option<Value>> {
    if let Some(error) = reply.get("error") {
        let words = error.get("desc").and_then(Value::as_str);
        bail!("{}", words.unwrap_or("no reason given"));
    }
    Ok(reply.get_mut("return").map(Value::take))
}
