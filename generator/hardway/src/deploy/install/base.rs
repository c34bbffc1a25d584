//! The base image: what a cluster's nodes share, installed once by the same installer.
//! Each node's disk is an overlay on it, so that another node costs little room and time.
//!
//! Its name is made of what goes into it. An overlay is worth nothing on other bytes than
//! those that it was made on, so their SHA-256 is noted, and compared before a machine
//! starts. No key goes in, and the installer refuses a base with a host key or machine-id.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result, anyhow};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Input, expect, failing_writes, installed, sync};
use crate::deploy::medium::digest;
use crate::deploy::{Medium, tarball};
use crate::runtime;
use common::file;
use common::file::content_name;
use common::report::WithHint;
use common::state::{Paths, private_folder};
use model::plan::Plan;
use model::topology::{Guest, Node, Topology};
use qemu::disk::{self, Content};
use qemu::{Host, argv};

/// Nobody writes to a base: an overlay would notice only by its wrong contents.
const READ_ONLY: u32 = 0o400;

/// A base that is whole, as its record and those of the nodes on it name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Base {
    /// Of what it was made from.
    pub name: String,
    /// Of the image.
    pub sha256: String,
}

/// What a base is made from.
#[derive(Debug)]
pub struct Recipe<'a> {
    name: String,
    flake: Vec<u8>,
    guest: &'a Guest,
}

impl<'a> Recipe<'a> {
    /// For nodes with the disk of `guest`, whose processors it is made with.
    pub fn new(host: &Host, plan: &Plan, medium: &Medium, guest: &'a Guest) -> Result<Self> {
        let flake = tarball::base_flake(plan)?;
        let mut parts = Sha256::new();
        for part in [
            medium.sha256.as_bytes(),
            host.arch.nix_system().as_bytes(),
            guest.disk.to_string().as_bytes(),
            &flake,
            expect::SCRIPT.as_bytes(),
        ] {
            parts.update(Sha256::digest(part));
        }
        Ok(Self {
            name: content_name(&parts.finalize()),
            flake,
            guest,
        })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The base that an earlier run made of the same, if it is still what it was.
    pub fn find(&self, paths: &Paths) -> Result<Option<Base>> {
        let Ok(text) = fs::read_to_string(paths.base_record(&self.name)) else {
            return Ok(None);
        };
        let Ok(base) = serde_json::from_str::<Base>(&text) else {
            return Ok(None);
        };
        Ok(trouble(paths, &base)?.is_none().then_some(base))
    }

    /// What the base's disk holds at first.
    pub fn content(&self) -> Content<'static> {
        Content::Empty(self.guest.disk)
    }

    /// The command line of the machine that makes it.
    pub fn machine(
        &self,
        host: &Host,
        paths: &Paths,
        topology: &Topology,
        medium: &Medium,
    ) -> Result<Vec<OsString>> {
        argv::install(
            host,
            &paths.base_in_making(),
            &runtime::base(topology, self.guest),
            &medium.live(),
        )
        .map(failing_writes)
    }

    /// Makes the base. A run that is cut short leaves none.
    pub fn make(
        &self,
        host: &Host,
        paths: &Paths,
        topology: &Topology,
        medium: &Medium,
        on_stage: &(dyn Fn(&str) + Sync),
        cancelled: &AtomicBool,
    ) -> Result<Base> {
        let (image, record) = (paths.base(&self.name), paths.base_record(&self.name));
        let files = paths.base_in_making();
        private_folder(&paths.bases())?;
        remove(&record)?;
        disk::create(
            &host.qemu,
            host.arch,
            &host.firmware,
            &files,
            self.content(),
        )?;
        let input = Input {
            node: None,
            base: &self.name,
            flake: &self.flake,
            keys: None,
        };
        let qemu = self.machine(host, paths, topology, medium)?;
        input
            .install(host, paths, &files, medium, qemu, on_stage, cancelled)
            .context("cannot make the base that the nodes share")?;
        sync(&files.disk())?;
        let keep = || -> std::io::Result<()> {
            fs::set_permissions(files.disk(), Permissions::from_mode(READ_ONLY))?;
            fs::rename(files.disk(), &image)
        };
        keep().with_context(|| format!("cannot write {}", image.display()))?;
        let base = Base {
            name: self.name.clone(),
            sha256: digest(&image)?,
        };
        let text = format!("{}\n", serde_json::to_string_pretty(&base)?);
        file::replace(&record, text.as_bytes(), file::PRIVATE)?;
        // Its log too: the base is whole.
        fs::remove_dir_all(&files.dir)
            .with_context(|| format!("cannot remove {}", files.dir.display()))?;
        Ok(base)
    }
}

impl Base {
    /// Where it is, as a node's disk names it: the cluster's folder can be moved.
    pub fn from_node(&self) -> PathBuf {
        from_node(&self.name)
    }
}

/// The same of the base of this name.
pub fn from_node(name: &str) -> PathBuf {
    Path::new("../../base").join(format!("{name}.qcow2"))
}

/// Fails where the base that `node`'s disk is an overlay on is gone or another.
pub fn check(paths: &Paths, topology: &Topology, node: &Node) -> Result<()> {
    let of = |node: &Node| installed(paths, node).and_then(|installed| installed.base);
    let Some(base) = of(node) else {
        return Ok(());
    };
    let Some(trouble) = trouble(paths, &base)? else {
        return Ok(());
    };
    let on_it: Vec<&str> = topology
        .nodes
        .iter()
        .filter(|other| of(other).as_ref() == Some(&base))
        .map(|other| other.name.as_str())
        .collect();
    Err(anyhow!("{} {trouble}", paths.base(&base.name).display()))
        .with_context(|| {
            format!(
                "{} cannot start: its disk holds only what differs from its base",
                node.name
            )
        })
        .hint(format!(
            "put the file back if you have it, or install anew what was on it: hardway install {}",
            on_it.join(" ")
        ))
}

/// What is wrong with the image of a base, in words.
fn trouble(paths: &Paths, base: &Base) -> Result<Option<&'static str>> {
    let image = paths.base(&base.name);
    if !image.is_file() {
        return Ok(Some("is not there"));
    }
    let same = digest(&image)? == base.sha256;
    Ok((!same).then_some("is not what it was: its SHA-256 is another"))
}

/// Removes the bases that are not among `names`.
pub fn tidy(paths: &Paths, names: &BTreeSet<String>) -> Result<()> {
    unused(paths, names)?
        .iter()
        .try_for_each(|file| remove(file))
}

/// The files of bases that are not among `names`.
pub fn unused(paths: &Paths, names: &BTreeSet<String>) -> Result<Vec<PathBuf>> {
    let folder = paths.bases();
    let cannot = || format!("cannot tidy {}", folder.display());
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(cannot),
    };
    let mut unused = Vec::new();
    for entry in entries {
        let path = entry.with_context(cannot)?.path();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        if path.is_file() && !names.contains(&*stem) {
            unused.push(path);
        }
    }
    unused.sort();
    Ok(unused)
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}
