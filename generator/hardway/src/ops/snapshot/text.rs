//! Snapshots as people and programs read them.

use std::fmt::Write;

use anyhow::Result;
use serde::Serialize;

use super::record::Cluster;
use super::{Kind, Name, Record};
use common::state::Paths;
use model::topology::{NodeName, Topology};
use qemu::Host;

/// One snapshot, and whether it could be restored now.
#[derive(Debug, Serialize)]
pub struct Shown {
    #[serde(flatten)]
    pub record: Record,
    /// What differs from then, a text each; empty where it fits.
    pub differences: Vec<String>,
}

/// Looks at one snapshot's record. What the disks hold is looked at by a restore.
pub fn show(paths: &Paths, topology: &Topology, name: &Name) -> Result<Shown> {
    let record = Record::read(paths, name)?;
    let differences = match Host::pinned(paths)? {
        Some(host) => record.differences(&Cluster::now(paths, topology, &host)?, false),
        None => vec!["no machine has been started here yet".to_owned()],
    };
    Ok(Shown {
        record,
        differences,
    })
}

impl Shown {
    pub fn text(&self) -> String {
        let (record, cluster) = (&self.record, &self.record.cluster);
        let platform = &cluster.platform;
        let nodes: Vec<&str> = cluster.generation.keys().map(NodeName::as_str).collect();
        let rows = [
            ("name", record.name.to_string()),
            (
                "description",
                record.description.clone().unwrap_or_else(|| "-".to_owned()),
            ),
            ("taken", record.taken.clone()),
            (
                "kind",
                match record.kind {
                    Kind::Running => "running: disks, memory and devices".to_owned(),
                    Kind::Cold => "cold: disks alone".to_owned(),
                },
            ),
            ("nodes", nodes.join(", ")),
            (
                "machine",
                format!(
                    "QEMU {}, {}, {}, {}",
                    platform.qemu, platform.machine, platform.accelerator, platform.cpu
                ),
            ),
            ("firmware", platform.firmware_sha256.clone()),
            ("topology", cluster.topology_sha256.clone()),
            (
                "PKI",
                cluster.pki_sha256.clone().unwrap_or_else(|| "-".to_owned()),
            ),
            (
                "fits",
                match self.differences.as_slice() {
                    [] => "yes".to_owned(),
                    differences => format!("no: {}", differences.join("; ")),
                },
            ),
        ];
        let mut text = String::new();
        for (name, value) in rows {
            let _ = writeln!(text, "{name:<11}  {value}");
        }
        text
    }
}

/// The table of all snapshots.
pub fn list(records: &[Record]) -> String {
    let mut rows = vec![["NAME", "TAKEN", "KIND", "DESCRIPTION"].map(str::to_owned)];
    rows.extend(records.iter().map(|record| {
        [
            record.name.to_string(),
            record.taken.clone(),
            record.kind.as_str().to_owned(),
            record.description.clone().unwrap_or_else(|| "-".to_owned()),
        ]
    }));
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let (name, taken, kind) = (width(0), width(1), width(2));
    let mut text = String::new();
    for [a, b, c, d] in &rows {
        let _ = writeln!(text, "{a:<name$}  {b:<taken$}  {c:<kind$}  {d}");
    }
    text
}
