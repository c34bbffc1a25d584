//! What a node says on the network of the nodes, as a file for Wireshark or tcpdump.
//!
//! QEMU itself writes it, at the machine's NIC: nothing is installed in the guest, and the
//! host needs no root. On the segment the hub repeats every frame to everyone, so one
//! node's capture also holds what the others say to each other.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::json;

use super::process::Running;
use super::spec::MachineSpec;

/// The name of QEMU's object.
pub(super) const ID: &str = "capture";

/// The network device over which the nodes talk.
pub(super) fn netdev(spec: &MachineSpec) -> &'static str {
    match spec.segment {
        Some(_) => "segment",
        None => "uplink",
    }
}

/// Begins a capture of a machine that runs already; an earlier one ends.
pub fn attach(running: &Running, spec: &MachineSpec, file: &Path) -> Result<()> {
    let mut qmp = running.qmp()?;
    // There need not be one.
    let _ = qmp.execute("object-del", &json!({ "id": ID }));
    qmp.execute(
        "object-add",
        &json!({
            "qom-type": "filter-dump",
            "id": ID,
            "netdev": netdev(spec),
            "file": file.to_str().context("the file's name is no UTF-8")?,
        }),
    )
    .with_context(|| format!("cannot capture into {}", file.display()))?;
    Ok(())
}
