//! The two tarballs that travel to a node. The flake is for everyone to read, since
//! Nix copies its folder into the store; the keys go past it, alone.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};
use flate2::read::GzDecoder;
use flate2::{Compression, GzBuilder};
use include_dir::{Dir, File, include_dir};
use tar::{Archive, Builder, EntryType, Header};
use zeroize::Zeroizing;

use crate::render;
use model::plan::{self, NodePlan, Plan};
use model::topology::{Node, Topology};

/// The repository's NixOS modules, so that the binary needs no repository.
static MODULES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../modules");
const FLAKE: &str = include_str!("../../templates/node-flake.nix");
const LOCK: &str = include_str!("../../../../flake.lock");

/// The files of a folder: path in it → bytes.
pub(crate) type Files = BTreeMap<PathBuf, Vec<u8>>;

/// The folder that becomes /etc/hardway: a flake that stands alone, gzipped. The
/// same input gives the same bytes.
///
/// ```text
/// flake.nix, flake.lock, modules/       the same for every node
/// hosts/default.nix, hosts/<node>/      this node alone
/// hosts/peers.nix                       what it knows of the others
/// extra/<node>/<n>-<file>.nix           the user's modules for it
/// ```
pub fn flake(topology: &Topology, node: &Node, plan: &NodePlan) -> Result<Vec<u8>> {
    folder_archive(&flake_files(topology, node, plan)?)
}

/// The flake of what the nodes share, gzipped, of which the base image is made:
///
/// ```text
/// flake.nix, flake.lock, modules/       as a node's
/// base/default.nix                      the packages of every component of any node
/// ```
pub fn base_flake(plan: &Plan) -> Result<Vec<u8>> {
    let mut files = common();
    files.insert("flake.nix".into(), FLAKE.into());
    let module = render::base_module(&plan::shared(plan))?;
    files.insert("base/default.nix".into(), module.into());
    folder_archive(&files)
}

fn folder_archive(files: &Files) -> Result<Vec<u8>> {
    let files = files
        .iter()
        .map(|(path, bytes)| (path.as_path(), bytes.as_slice()));
    archive(files, 0o644, Vec::new())
}

/// What that folder has in it.
pub(crate) fn flake_files(topology: &Topology, node: &Node, plan: &NodePlan) -> Result<Files> {
    let mut files = folder(topology, &[(node, plan)])?;
    files.insert("flake.nix".into(), FLAKE.into());
    Ok(files)
}

/// What is in a gzipped tarball that someone else has made, up to `most` bytes of it.
pub(crate) fn unpack(tarball: &[u8], most: u64) -> Result<Files> {
    let mut files = Files::new();
    let mut archive = Archive::new(GzDecoder::new(tarball).take(most));
    for entry in archive.entries()? {
        let mut entry = entry?;
        if entry.header().entry_type() != EntryType::Regular {
            continue;
        }
        let path: PathBuf = entry
            .path()?
            .components()
            .filter(|part| *part != Component::CurDir)
            .collect();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes)?;
        files.insert(path, bytes);
    }
    Ok(files)
}

/// flake.lock and the modules.
fn common() -> Files {
    let mut files = BTreeMap::from([(PathBuf::from("flake.lock"), LOCK.into())]);
    files.extend(embedded(&MODULES).map(|file| {
        (
            Path::new("modules").join(file.path()),
            file.contents().into(),
        )
    }));
    files
}

/// What a flake of these nodes consists of beside flake.nix.
pub(crate) fn folder(topology: &Topology, nodes: &[(&Node, &NodePlan)]) -> Result<Files> {
    let mut files = common();
    for (node, plan) in nodes {
        let host = Path::new("hosts").join(plan.name.as_str());
        files.insert(host.join("default.nix"), render::host_module(plan)?.into());
        for (index, module) in node.modules.iter().enumerate() {
            let text = fs::read(module).with_context(|| {
                format!("cannot read {}'s module {}", node.name, module.display())
            })?;
            files.insert(user_module(node, index, module), text);
        }
    }
    let alone = Topology {
        nodes: nodes.iter().map(|(node, _)| (*node).clone()).collect(),
        ..topology.clone()
    };
    let index = render::hosts_index(&alone, &|node, index, path| {
        format!("../{}", user_module(node, index, path).display())
    })?;
    files.insert("hosts/default.nix".into(), index.into());
    if let Some(text) = render::peers(topology)? {
        files.insert("hosts/peers.nix".into(), text.into());
    }
    Ok(files)
}

/// A node's keys and certificates, gzipped, in no folder; each file has mode 0600.
pub fn keys(files: &[(String, Zeroizing<Vec<u8>>)]) -> Result<Zeroizing<Vec<u8>>> {
    let length: usize = files.iter().map(|(_, bytes)| bytes.len() + 2048).sum();
    // Grown in place, a vector leaves copies of keys behind.
    let room = Vec::with_capacity(length + 4096);
    let files = files
        .iter()
        .map(|(name, bytes)| (Path::new(name), bytes.as_slice()));
    archive(files, 0o600, room).map(Zeroizing::new)
}

/// Where the `index`-th user's module of a node is: in a Nix path literal as it is.
pub(crate) fn user_module(node: &Node, index: usize, path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name: String = name
        .chars()
        .map(|c| match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '_' | '-' => c,
            _ => '-',
        })
        .collect();
    Path::new("extra")
        .join(node.name.as_str())
        .join(format!("{index}-{name}"))
}

fn embedded(folder: &'static Dir<'static>) -> Box<dyn Iterator<Item = &'static File<'static>>> {
    Box::new(folder.files().chain(folder.dirs().flat_map(embedded)))
}

/// No owner, no time: only names, modes and bytes.
fn archive<'a>(
    files: impl Iterator<Item = (&'a Path, &'a [u8])>,
    mode: u32,
    room: Vec<u8>,
) -> Result<Vec<u8>> {
    let gzip = GzBuilder::new().write(room, Compression::best());
    let mut tar = Builder::new(gzip);
    for (path, bytes) in files {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(mode);
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(bytes.len() as u64);
        tar.append_data(&mut header, path, bytes)
            .with_context(|| format!("cannot pack {}", path.display()))?;
    }
    let mut gzip = tar.into_inner().context("cannot pack")?;
    gzip.flush().context("cannot pack")?;
    gzip.finish().context("cannot pack")
}
