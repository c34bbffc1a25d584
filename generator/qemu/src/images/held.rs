//! Which snapshots an image holds, as QEMU and qemu-img describe it alike.

use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::Value;

use crate::disk::qemu_img;

#[derive(Deserialize)]
struct Image {
    #[serde(default)]
    snapshots: Vec<Snapshot>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Snapshot {
    name: String,
    vm_state_size: u64,
}

/// The size of the memory in the snapshot `tag` of the image that `info` describes; none where
/// it has no such snapshot.
pub(super) fn size(info: Value, tag: &str) -> Result<Option<u64>> {
    let image: Image = serde_json::from_value(info).context("QEMU describes an image oddly")?;
    let found = image.snapshots.into_iter().find(|one| one.name == tag);
    Ok(found.map(|snapshot| snapshot.vm_state_size))
}

/// What qemu-img says of the image of a machine that is off.
pub(super) fn info(qemu: &Path, file: &Path) -> Result<Value> {
    let arguments = ["info".into(), "--output=json".into(), file.into()];
    let text = qemu_img(qemu, arguments)?;
    serde_json::from_str(&text).context("qemu-img's answer is no JSON")
}
