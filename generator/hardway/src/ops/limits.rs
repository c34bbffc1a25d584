//! How long to wait: limits for a host that runs guests on its own processor,
//! stretched where every instruction is translated.

use std::time::Duration;

/// The limits of one run.
///
/// Measured under TCG on two cores: power-on to Ready 168 s, a Deployment 44 s, an
/// `exec` 2 s. KVM does each in a tenth or less; a busy host needs the rest.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    scale: u32,
}

impl Limits {
    /// `patience`: by how much the accelerator stretches them.
    pub(super) fn new(patience: u32) -> Self {
        Self { scale: patience }
    }

    /// Power-on to `/readyz`: firmware, kernel, etcd, the API server's own start.
    pub(super) fn ready_api(self) -> Duration {
        Duration::from_secs(90) * self.scale
    }

    /// From there to every node Ready.
    pub(super) fn ready_nodes(self) -> Duration {
        Duration::from_secs(90) * self.scale
    }

    /// Cilium's images come over the network: Ready takes that much longer.
    pub(super) fn pull(self) -> Duration {
        Duration::from_secs(300) + self.ready_nodes()
    }

    /// From there to CoreDNS' first ready Pod: an image to be pulled, and a start.
    pub(super) fn dns(self) -> Duration {
        Duration::from_secs(60) + self.pods()
    }

    /// A node's switch to another configuration: NixOS may fetch what it lacks, and a unit
    /// that restarts may take its time.
    pub(super) fn switch(self) -> Duration {
        Duration::from_secs(1500) + Duration::from_secs(60) * self.scale
    }

    /// A machine's clean shutdown.
    pub(super) fn shutdown(self) -> Duration {
        Duration::from_secs(30) + Duration::from_secs(6) * self.scale
    }

    /// One command in a guest or a Pod.
    pub(super) fn command(self) -> Duration {
        Duration::from_secs(12) * self.scale
    }

    /// A Deployment's Pods running, or a namespace gone.
    pub(super) fn pods(self) -> Duration {
        Duration::from_secs(45) * self.scale
    }

    /// A node's Pods gone: they have 30 s to end in order, unless they say otherwise.
    pub(super) fn drain(self) -> Duration {
        Duration::from_secs(60) + self.pods()
    }

    /// One request to the API server.
    pub(super) fn request(self) -> Duration {
        Duration::from_secs(6) * self.scale
    }

    /// Between two looks at something that is waited for.
    pub(super) fn pause(self) -> Duration {
        Duration::from_millis(400 + 100 * u64::from(self.scale))
    }
}
