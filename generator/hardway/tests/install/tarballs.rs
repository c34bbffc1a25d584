//! What travels to a node, unpacked: the flake has all that it needs and nothing
//! secret; the keys are this node's alone.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;

use flate2::read::GzDecoder;
use hardway::deploy::tarball;

use model::plan::NodePlan;
use model::topology::Node;

use crate::support::Cluster;

/// Path → mode and bytes, in the order of the archive.
fn unpack(tarball: &[u8]) -> Vec<(String, u32, Vec<u8>)> {
    tar::Archive::new(GzDecoder::new(tarball))
        .entries()
        .unwrap()
        .map(|entry| {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().display().to_string();
            let header = entry.header();
            assert_eq!((header.mtime().unwrap(), header.uid().unwrap()), (0, 0));
            let mode = header.mode().unwrap();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            (path, mode, bytes)
        })
        .collect()
}

fn planned<'a>(cluster: &'a Cluster, node: &Node) -> &'a NodePlan {
    let mut nodes = cluster.plan.nodes.iter();
    nodes.find(|planned| planned.name == node.name).unwrap()
}

fn flake(cluster: &Cluster, node: &Node) -> Vec<u8> {
    tarball::flake(&cluster.topology, node, planned(cluster, node)).unwrap()
}

#[test]
fn the_flake_stands_alone() {
    let cluster = Cluster::new();
    let mut node = cluster.sigma();
    for name in ["more flags.nix", "logs.nix"] {
        let module = cluster.folder.path().join(name);
        fs::write(&module, "{ }\n").unwrap();
        node.modules.push(module);
    }
    let bytes = flake(&cluster, &node);
    assert_eq!(bytes, flake(&cluster, &node), "the same bytes each time");

    let files = unpack(&bytes);
    let paths: Vec<&str> = files.iter().map(|(path, _, _)| path.as_str()).collect();
    assert!(paths.is_sorted());
    let own: Vec<&str> = paths
        .iter()
        .copied()
        .filter(|path| !path.starts_with("modules/"))
        .collect();
    assert_eq!(
        own,
        [
            "extra/sigma/0-more-flags.nix",
            "extra/sigma/1-logs.nix",
            "flake.lock",
            "flake.nix",
            "hosts/default.nix",
            "hosts/peers.nix",
            "hosts/sigma/default.nix",
        ]
    );
    let modules = concat!(env!("CARGO_MANIFEST_DIR"), "/../../modules");
    for (path, mode, bytes) in &files {
        assert_eq!(*mode, 0o644, "{path}");
        if let Some(module) = path.strip_prefix("modules/") {
            assert_eq!(fs::read(format!("{modules}/{module}")).unwrap(), *bytes);
        }
        assert!(
            !String::from_utf8_lossy(bytes).contains("PRIVATE KEY"),
            "a key in {path}"
        );
    }
    let index = files
        .iter()
        .find(|(path, _, _)| path == "hosts/default.nix");
    insta::assert_snapshot!(String::from_utf8_lossy(&index.unwrap().2));
}

#[test]
fn the_bases_flake_has_what_nodes_share_and_no_more() {
    let cluster = Cluster::new();
    let files = unpack(&tarball::base_flake(&cluster.plan).unwrap());
    let own: Vec<&str> = files
        .iter()
        .map(|(path, _, _)| path.as_str())
        .filter(|path| !path.starts_with("modules/"))
        .collect();
    assert_eq!(own, ["base/default.nix", "flake.lock", "flake.nix"]);
    insta::assert_snapshot!(String::from_utf8_lossy(&files[0].2));
}

#[test]
fn no_flake_holds_what_a_key_file_holds() {
    let cluster = Cluster::new();
    let base = tarball::base_flake(&cluster.plan).unwrap();
    for node in &cluster.topology.nodes {
        let flakes = [flake(&cluster, node), base.clone()];
        let flake: String = flakes
            .iter()
            .flat_map(|flake| unpack(flake))
            .map(|(_, _, bytes)| String::from_utf8_lossy(&bytes).into_owned())
            .collect();
        for (name, bytes) in pki::node_files(planned(&cluster, node), &cluster.paths).unwrap() {
            for line in String::from_utf8_lossy(&bytes).lines() {
                let longest = line.split_whitespace().max_by_key(|word| word.len());
                if let Some(word) = longest.filter(|word| word.len() > 40) {
                    assert!(
                        !flake.contains(word),
                        "{name} in the flake of {}",
                        node.name
                    );
                }
            }
        }
    }
}

#[test]
fn the_keys_are_those_of_the_plan() {
    let cluster = Cluster::new();
    let node = cluster.sigma();
    let files = pki::node_files(planned(&cluster, &node), &cluster.paths).unwrap();
    let tarball = tarball::keys(&files).unwrap();
    let found: BTreeMap<String, Vec<u8>> = unpack(&tarball)
        .into_iter()
        .map(|(path, mode, bytes)| {
            assert_eq!(mode, 0o600, "{path}");
            (path, bytes)
        })
        .collect();
    let wanted: BTreeMap<String, Vec<u8>> = files
        .iter()
        .map(|(name, bytes)| (name.clone(), bytes.to_vec()))
        .collect();
    assert_eq!(found, wanted);
    assert!(found.keys().eq(planned(&cluster, &node).pki.keys()));
}
