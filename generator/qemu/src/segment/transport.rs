//! What carries the segment's frames from one QEMU of this host to another: a pair of
//! datagram sockets, of which each QEMU reads one.

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::super::argument::Properties;

/// The kind of all sockets of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Unix sockets in the runtime folder, which is this user's alone.
    Unix,
    /// UDP on 127.0.0.1. macOS buffers 4 KiB in a Unix datagram socket
    /// (`net.local.dgram.recvspace`), which is two frames, and QEMU drops the frame that
    /// does not fit; in a UDP socket it buffers 768 KiB (`net.inet.udp.recvspace`).
    Udp,
}

impl Transport {
    /// What this host's system carries without loss.
    pub const fn native() -> Self {
        if cfg!(target_os = "macos") {
            Transport::Udp
        } else {
            Transport::Unix
        }
    }
}

impl Default for Transport {
    fn default() -> Self {
        Self::native()
    }
}

/// One end of a link: the socket that a QEMU reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum End {
    Unix(PathBuf),
    /// A UDP port of 127.0.0.1.
    Udp(u16),
}

const LOOPBACK: &str = "127.0.0.1";

impl End {
    /// Adds it to a netdev's properties as its `local` or `remote` address.
    pub(in super::super) fn describe(&self, netdev: Properties, which: &str) -> Properties {
        let key = |name: &str| format!("{which}.{name}");
        match self {
            End::Unix(path) => netdev.set(&key("type"), "unix").set(&key("path"), path),
            End::Udp(port) => netdev
                .set(&key("type"), "inet")
                .set(&key("host"), LOOPBACK)
                .set(&key("port"), port.to_string()),
        }
    }

    /// The same as an argument of QMP's `netdev_add` (QEMU's qapi, `SocketAddress`).
    pub(super) fn to_json(&self) -> Result<Value> {
        Ok(match self {
            End::Unix(path) => {
                let path = path.to_str().context("a socket's path is no UTF-8")?;
                json!({ "type": "unix", "path": path })
            }
            End::Udp(port) => json!({
                "type": "inet", "host": LOOPBACK, "port": port.to_string(),
            }),
        })
    }
}
