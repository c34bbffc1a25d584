//! Which nodes' network is to be captured, and into which files.

use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};

use super::machines;
use common::report::WithHint;
use model::topology::{NodeName, Topology};

/// One node's capture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capture {
    pub node: NodeName,
    /// Absolute: QEMU leaves the folder that it is started in.
    pub file: PathBuf,
}

/// Reads pairs of a node's name and a file's.
pub fn captures(topology: &Topology, words: &[String]) -> Result<Vec<Capture>> {
    let mut captures: Vec<Capture> = Vec::new();
    for pair in words.chunks(2) {
        let [node, file] = pair else {
            continue;
        };
        let node = machines::named(topology, node)?.name.clone();
        let file = std::path::absolute(file).with_context(|| format!("cannot find {file}"))?;
        let folder = file.parent().unwrap_or(&file);
        if !folder.is_dir() {
            return Err(anyhow!("there is no folder {}", folder.display()))
                .with_context(|| format!("cannot capture {node}'s network"))
                .hint(format!("mkdir -p {}", folder.display()));
        }
        if file.is_dir() {
            return Err(anyhow!("{} is a folder", file.display()))
                .with_context(|| format!("cannot capture {node}'s network"))
                .hint(format!("name a file: --pcap {node} {node}.pcap"));
        }
        let twice = |other: &&Capture| other.node == node || other.file == file;
        if let Some(other) = captures.iter().find(twice) {
            return Err(anyhow!(
                "--pcap {node} {} and --pcap {} {} exclude each other",
                file.display(),
                other.node,
                other.file.display()
            ))
            .hint("one file a node, and one node a file");
        }
        captures.push(Capture { node, file });
    }
    Ok(captures)
}
