//! Ports of the host that a machine uses: taken ones are found before QEMU is started,
//! since QEMU can't tell by whom or why it wanted them, and shares a UDP port with another
//! QEMU that has it (it sets SO_REUSEADDR).

use std::fmt;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::Path;

use anyhow::{Context, Result, anyhow};

use super::segment::{self, Link, Transport};
use super::spec::MachineSpec;
use common::report::WithHint;

/// Fails if a port that the machine uses is taken, naming by whom: those that it forwards,
/// and those of the segment.
pub(super) fn all_free(transport: Transport, spec: &MachineSpec) -> Result<()> {
    for forward in &spec.uplink.forwards {
        let port = forward.host;
        free(Protocol::Tcp, port)
            .with_context(|| format!("{} needs port {port} of 127.0.0.1", spec.name))
            .hint(another(&forward.setting))?;
    }
    // Sockets' files have no part in it.
    segment::links(transport, spec, Path::new(""))?
        .iter()
        .try_for_each(|link| link_free(&spec.name, link))
}

/// Fails if the UDP port that the machine of this name needs for this link is taken, naming
/// by whom. A link of Unix sockets needs none.
pub(super) fn link_free(name: &str, link: &Link) -> Result<()> {
    let Some(port) = link.port() else {
        return Ok(());
    };
    free(Protocol::Udp, port)
        .with_context(|| format!("{name} needs UDP port {port} of 127.0.0.1"))
        .hint(another(&link.spoke().setting))
}

fn another(setting: &str) -> String {
    format!("stop that program, or choose another port: {setting}")
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Tcp,
    Udp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        })
    }
}

/// Fails if 127.0.0.1:`port` can't be listened on.
fn free(protocol: Protocol, port: u16) -> Result<()> {
    let address = (Ipv4Addr::LOCALHOST, port);
    let bound = match protocol {
        Protocol::Tcp => TcpListener::bind(address).map(drop),
        Protocol::Udp => UdpSocket::bind(address).map(drop),
    };
    match bound {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AddrInUse => Err(match holder(protocol, port) {
            Some(holder) => anyhow!("it is taken by {holder}"),
            None => anyhow!("it is taken, by a program that this user may not see"),
        }),
        Err(error) => Err(error).context("it cannot be listened on"),
    }
}

/// Who listens on `port`, e.g. `nginx (process 4711)`, if it can be told.
#[cfg(target_os = "linux")]
fn holder(protocol: Protocol, port: u16) -> Option<String> {
    use std::fs;

    let sockets: Vec<String> = ["", "6"]
        .iter()
        .filter_map(|family| fs::read_to_string(format!("/proc/net/{protocol}{family}")).ok())
        .flat_map(|table| listening(protocol, &table, port))
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    let holds = |pid: &u32| {
        let open = fs::read_dir(format!("/proc/{pid}/fd"));
        open.into_iter()
            .flatten()
            .flatten()
            .filter_map(|file| fs::read_link(file.path()).ok())
            .any(|target| sockets.iter().any(|one| target.as_os_str() == one.as_str()))
    };
    let pid = fs::read_dir("/proc")
        .ok()?
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .find(holds)?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    Some(format!("{} (process {pid})", name.trim()))
}

/// The inodes of sockets that listen on `port`, from the kernel's table (proc(5), `/proc/net/tcp`).
#[cfg(target_os = "linux")]
fn listening(protocol: Protocol, table: &str, port: u16) -> Vec<String> {
    // The kernel's TCP_LISTEN, and TCP_CLOSE for a UDP socket that has no peer.
    let state = match protocol {
        Protocol::Tcp => "0A",
        Protocol::Udp => "07",
    };
    let suffix = format!(":{port:04X}");
    table
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter_map(|fields| match fields.as_slice() {
            [_, local, _, found, _, _, _, _, _, inode, ..]
                if *found == state && local.ends_with(&suffix) =>
            {
                Some((*inode).to_owned())
            }
            _ => None,
        })
        .collect()
}

/// Who listens on `port`, as lsof's `-F` output tells it: `p4711`, `cnginx`.
#[cfg(not(target_os = "linux"))]
fn holder(protocol: Protocol, port: u16) -> Option<String> {
    let filter = format!("-i{protocol}:{port}");
    let mut arguments = vec!["-nP", &filter, "-Fpc"];
    if protocol == Protocol::Tcp {
        arguments.push("-sTCP:LISTEN");
    }
    let answer = super::tool::ask(Path::new("/usr/sbin/lsof"), arguments).ok()?;
    let field = |letter: char| answer.lines().find_map(|line| line.strip_prefix(letter));
    Some(format!("{} (process {})", field('c')?, field('p')?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn only_listeners_of_that_port_count() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:192B 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4242 1
   1: 0100007F:192B 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 4243 1
   2: 0100007F:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4244 1
";
        assert_eq!(listening(Protocol::Tcp, table, 6443), ["4242"]);
        let table = table.replace(" 0A ", " 07 ");
        assert_eq!(listening(Protocol::Udp, &table, 6443), ["4242"]);
        assert!(listening(Protocol::Tcp, &table, 6443).is_empty());
    }
}
