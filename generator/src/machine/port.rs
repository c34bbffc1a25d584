//! Ports of the host that a machine forwards: taken ones are found before QEMU
//! is started, since QEMU can't tell by whom or why it wanted them.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context, Result, anyhow};

use super::argv::{self, Purpose};
use crate::report::WithHint;
use crate::topology::{Node, Topology};

/// Fails if a port that the machine of `node` forwards is taken, naming by whom.
pub(super) fn all_free(topology: &Topology, node: &Node) -> Result<()> {
    for forward in argv::forwards(topology, node) {
        let port = forward.ports.host;
        free(port)
            .with_context(|| format!("{} needs port {port} of 127.0.0.1", node.name))
            .hint(format!(
                "stop that program, or choose another port: {}",
                match forward.purpose {
                    Purpose::Api => "API_PORT in cluster.env".to_owned(),
                    Purpose::Ssh => format!(
                        "nodes.{}.sshPort in cluster.json, or SSH_PORT_BASE in cluster.env",
                        node.name
                    ),
                    Purpose::Kubelet | Purpose::Own => {
                        format!("nodes.{}.forwards in cluster.json", node.name)
                    }
                }
            ))?;
    }
    Ok(())
}

/// Fails if 127.0.0.1:`port` can't be listened on.
fn free(port: u16) -> Result<()> {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AddrInUse => Err(match holder(port) {
            Some(holder) => anyhow!("it is taken by {holder}"),
            None => anyhow!("it is taken, by a program that this user may not see"),
        }),
        Err(error) => Err(error).context("it cannot be listened on"),
    }
}

/// Who listens on `port`, e.g. `nginx (process 4711)`, if it can be told.
#[cfg(target_os = "linux")]
fn holder(port: u16) -> Option<String> {
    use std::fs;

    let sockets: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| listening(&table, port))
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
fn listening(table: &str, port: u16) -> Vec<String> {
    const LISTEN: &str = "0A";
    let suffix = format!(":{port:04X}");
    table
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter_map(|fields| match fields.as_slice() {
            [_, local, _, LISTEN, _, _, _, _, _, inode, ..] if local.ends_with(&suffix) => {
                Some((*inode).to_owned())
            }
            _ => None,
        })
        .collect()
}

/// Who listens on `port`, as lsof's `-F` output tells it: `p4711`, `cnginx`.
#[cfg(not(target_os = "linux"))]
fn holder(port: u16) -> Option<String> {
    use std::path::Path;

    let filter = format!("-iTCP:{port}");
    let answer = super::tool::ask(
        Path::new("/usr/sbin/lsof"),
        ["-nP", &filter, "-sTCP:LISTEN", "-Fpc"],
    )
    .ok()?;
    let field = |letter: char| answer.lines().find_map(|line| line.strip_prefix(letter));
    Some(format!("{} (process {})", field('c')?, field('p')?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::sample::topology;
    use crate::report;
    use crate::topology::{Cni, NetworkMode};

    #[test]
    fn a_taken_port_is_named_with_its_holder_and_its_setting() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut topology = topology(Cni::Bridge, NetworkMode::Segment);
        topology.api_port = port;
        let hub = topology.node("hub").unwrap();
        let message = report::render(&all_free(&topology, hub).unwrap_err());
        for part in [
            format!("hub needs port {port} of 127.0.0.1"),
            format!("(process {})", std::process::id()),
            "hint: stop that program, or choose another port: API_PORT".to_owned(),
        ] {
            assert!(message.contains(&part), "{message}");
        }
        drop(listener);
        all_free(&topology, hub).unwrap();
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn only_listeners_of_that_port_count() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:192B 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4242 1
   1: 0100007F:192B 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 4243 1
   2: 0100007F:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4244 1
";
        assert_eq!(listening(table, 6443), ["4242"]);
    }
}
