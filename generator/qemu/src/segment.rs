//! The rootless layer-2 segment between the guests.
//!
//! A star of point-to-point links over datagram sockets, joined by a hub in the
//! control plane's QEMU. Unlike QEMU's stream sockets it has no server that must
//! be first, and it survives the death and return of either side. QEMU has
//! `-netdev dgram` since 7.2. The sockets are Unix sockets, on macOS UDP (`Transport`). A hub that runs is given a link, and loses one, over
//! QMP: nobody is started again when a node comes or goes.
//!
//! Each QEMU, the workers' too, has its card behind a hub of its own with one port that
//! leads nowhere (`DRAIN`), because a full socket is dear: QEMU's sender tries again
//! whenever poll(2) calls its socket writable, which an unconnected datagram socket always
//! is, and its main loop spins. So a frame is taken off the socket whether the guest's
//! driver is up or not: a hub takes one as soon as any of its ports can, and QEMU keeps it
//! for the card (10,000 at most). Only a paused machine, as for a snapshot, takes none.

use std::path::Path;

use anyhow::{Context, Result, anyhow};
use serde_json::json;

use super::port;
use super::process::{self, Running};
use super::spec::{MachineSpec, Place, Spoke};
use common::report::WithHint;
use common::state::Paths;

mod transport;

pub(super) use self::transport::End;
pub use self::transport::Transport;

/// The longest path of a Unix socket: macOS' sockaddr_un, less its final zero.
const SOCKET_PATH_MAX: usize = 103;

/// QEMU's number for the hub, of which there is one a machine.
pub(super) const HUB: i32 = 0;

/// QEMU's name for the hub's port that leads nowhere. QEMU warns that it "has no peer".
pub(super) const DRAIN: &str = "drain";

/// One node's side of a link: the socket that its QEMU reads, and its peer's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    /// Which machine it joins to the hub.
    spoke: Spoke,
    pub local: End,
    pub remote: End,
}

impl Link {
    /// The hub's side.
    fn of_hub(spoke: &Spoke, transport: Transport, runtime: &Path) -> Result<Self> {
        let (local, remote) = match transport {
            // Each socket is named after the spoke: two names in one would leave
            // a doubt whose dash it is (`a-b` to `c`, `a` to `b-c`).
            Transport::Unix => {
                let end = |kind: &str| End::Unix(runtime.join(format!("{}.{kind}", spoke.name)));
                (end("hub"), end("seg"))
            }
            Transport::Udp => {
                let ports = spoke
                    .ports
                    .with_context(|| format!("{} has no UDP port for the segment", spoke.name));
                let ports = ports.hint(format!("choose a lower port: {}", spoke.setting))?;
                (End::Udp(ports.hub), End::Udp(ports.spoke))
            }
        };
        Ok(Self {
            spoke: spoke.clone(),
            local,
            remote,
        })
    }

    /// The other side of it.
    fn turned(self) -> Self {
        Self {
            spoke: self.spoke,
            local: self.remote,
            remote: self.local,
        }
    }

    pub(super) fn spoke(&self) -> &Spoke {
        &self.spoke
    }

    /// Of the side that is this machine's, the UDP port, if it has one.
    pub(super) fn port(&self) -> Option<u16> {
        match self.local {
            End::Udp(port) => Some(port),
            End::Unix(_) => None,
        }
    }

    /// The file of its socket, if it has one.
    pub(super) fn file(&self) -> Option<&Path> {
        match &self.local {
            End::Unix(path) => Some(path),
            End::Udp(_) => None,
        }
    }

    /// QEMU's names for the link and for the hub's port that it ends at.
    pub(super) fn ids(&self) -> [String; 2] {
        ids(&self.spoke.name)
    }

    fn fits(&self) -> Result<()> {
        [&self.local, &self.remote]
            .into_iter()
            .try_for_each(|end| match end {
                End::Unix(path) => fits(path),
                End::Udp(_) => Ok(()),
            })
    }
}

fn ids(spoke: &str) -> [String; 2] {
    ["link", "port"].map(|what| format!("{what}-{spoke}"))
}

/// What joins the machine to the segment: to each other where it is the star's hub, to the
/// hub where it is any other. Empty where there is no segment.
pub(super) fn links(transport: Transport, spec: &MachineSpec, runtime: &Path) -> Result<Vec<Link>> {
    let place = spec.segment.as_ref().map(|segment| &segment.place);
    let links: Vec<Link> = match place {
        None => Vec::new(),
        Some(Place::Hub(spokes)) => spokes
            .iter()
            .map(|spoke| Link::of_hub(spoke, transport, runtime))
            .collect::<Result<_>>()?,
        Some(Place::Spoke(spoke)) => vec![Link::of_hub(spoke, transport, runtime)?.turned()],
    };
    links.iter().try_for_each(Link::fits)?;
    Ok(links)
}

/// Gives the machine `hub`, if it runs, a link to `spoke`, which does not: so a machine that
/// is new reaches the others, and none of them is started again. A link that is there
/// already is made again. Returns the names of the link and of the hub's port, where there
/// is one now.
pub(super) fn join(
    transport: Transport,
    paths: &Paths,
    hub: &str,
    spoke: &Spoke,
) -> Result<Option<[String; 2]>> {
    let Some(running) = process::find(paths, hub) else {
        return Ok(None);
    };
    let link = Link::of_hub(spoke, transport, &paths.runtime())?;
    link.fits()?;
    let add = || -> Result<()> {
        remove(&running, &spoke.name)?;
        // QEMU would share it with another QEMU that has it.
        port::link_free(hub, &link)?;
        let mut qmp = running.qmp()?;
        let [name, port] = link.ids();
        qmp.execute(
            "netdev_add",
            &json!({
                "type": "dgram",
                "id": name,
                "local": link.local.to_json()?,
                "remote": link.remote.to_json()?,
            }),
        )?;
        qmp.execute(
            "netdev_add",
            &json!({ "type": "hubport", "id": port, "hubid": HUB, "netdev": name }),
        )?;
        Ok(())
    };
    add()
        .with_context(|| format!("cannot join {} to the segment of {hub}", spoke.name))
        .hint("`hardway down`, then `hardway up` starts every machine with all its links")?;
    Ok(Some(link.ids()))
}

/// Takes the link to a machine that is gone from the machine `hub`, if that runs.
pub fn part(paths: &Paths, hub: &str, spoke: &str) -> Result<()> {
    let Some(running) = process::find(paths, hub) else {
        return Ok(());
    };
    remove(&running, spoke)
        .with_context(|| format!("cannot take the link to {spoke} from the segment's hub"))
}

fn remove(hub: &Running, spoke: &str) -> Result<()> {
    let mut qmp = hub.qmp()?;
    let [name, port] = ids(spoke);
    for id in [port, name] {
        // There need not be one.
        let _ = qmp.execute("netdev_del", &json!({ "id": id }));
    }
    Ok(())
}

/// Refuses a socket path that the operating system would cut.
pub(super) fn fits(path: &Path) -> Result<()> {
    let length = path.as_os_str().len();
    if length > SOCKET_PATH_MAX {
        return Err(anyhow!(
            "the socket's path {} has {length} bytes, and at most {SOCKET_PATH_MAX} are allowed",
            path.display()
        ))
        .hint("give the nodes shorter names, or set XDG_RUNTIME_DIR to a shorter folder");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_path_that_would_be_cut_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let long = Path::new("/run").join("x".repeat(96)).join("a.qmp");
        let message = common::report::render(&fits(&long).unwrap_err());
        assert!(
            message.contains("107 bytes") && message.contains("hint: "),
            "{message}"
        );
        fits(&folder.path().join("a.qmp")).unwrap();
    }
}
