//! Every generated file, as a learner reads it, and as Nix does.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::*;
use model::plan::{plan, sample::topology};
use model::topology::{Cni, NetworkMode};

fn all(cni: Cni) -> Files {
    let mut topology = topology(cni, NetworkMode::Segment);
    topology.nodes[0].modules = vec![
        "/clusters/tiny/mine/more.nix".into(),
        "/else where.nix".into(),
    ];
    let plan = plan(&topology);
    rendered(&topology, &plan, Path::new("/clusters/tiny")).unwrap()
}

fn listing(files: &Files) -> String {
    files
        .iter()
        .map(|(path, text)| format!("──── hosts/{}\n{text}", path.display()))
        .collect()
}

#[test]
fn hosts_with_the_bridge_plugin() {
    insta::assert_snapshot!(listing(&all(Cni::Bridge)));
}

#[test]
fn hosts_with_cilium() {
    insta::assert_snapshot!(listing(&all(Cni::Cilium)));
}

/// What Nix reads in a host module is what the plan says: nothing lost on the way.
#[test]
fn nix_reads_the_plan_in_a_host_module() {
    let topology = topology(Cni::Bridge, NetworkMode::Segment);
    for node in plan(&topology).nodes {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), host_module(&node).unwrap()).unwrap();
        let out = Command::new("nix-instantiate")
            .args(["--eval", "--strict", "--json", "--store", "dummy://", "-E"])
            .arg(format!("import {} {{ }}", file.path().display()))
            .output()
            .expect("nix-instantiate runs");
        assert!(
            out.status.success(),
            "{}",
            String::from_utf8_lossy(&out.stderr)
        );
        let read: Value = serde_json::from_slice(&out.stdout).unwrap();
        for (path, value) in &node.options {
            let pointer = format!("/{}", path.replace('.', "/"));
            assert_eq!(read.pointer(&pointer), Some(value), "{}: {path}", node.name);
        }
        for (name, component) in &node.components {
            let found = &read["hardway"]["components"][name];
            assert_eq!(
                found["flags"],
                serde_json::to_value(&component.flags).unwrap()
            );
            let config = component.config.as_ref().map(|config| &config.value);
            assert_eq!(found.get("config"), config);
        }
    }
}

#[test]
fn only_what_changed_is_written_and_what_is_no_longer_generated_goes() {
    let folder = tempfile::tempdir().unwrap();
    let hosts = folder.path().join("hosts");
    let mut files = all(Cni::Bridge);
    assert_eq!(apply(&files, &hosts).unwrap().len(), files.len());
    assert_eq!(apply(&files, &hosts).unwrap(), []);

    let kept = std::fs::metadata(hosts.join("hub/default.nix"))
        .unwrap()
        .modified()
        .unwrap();
    std::fs::write(hosts.join("east/notes.txt"), "a person's").unwrap();
    files.remove(Path::new("west/default.nix"));
    files.remove(Path::new("east/default.nix"));
    files.insert("default.nix".into(), "{ }\n".into());
    let changes: Vec<(String, Change)> = apply(&files, &hosts)
        .unwrap()
        .into_iter()
        .map(|outcome| (outcome.path.display().to_string(), outcome.change))
        .collect();
    assert_eq!(
        changes,
        [
            ("default.nix".to_owned(), Change::Update),
            ("east/default.nix".to_owned(), Change::Remove),
            ("west/default.nix".to_owned(), Change::Remove),
        ]
    );
    assert!(!hosts.join("west").exists());
    assert!(
        hosts.join("east/notes.txt").exists(),
        "a person's file was removed"
    );
    assert_eq!(
        std::fs::metadata(hosts.join("hub/default.nix"))
            .unwrap()
            .modified()
            .unwrap(),
        kept
    );
}
