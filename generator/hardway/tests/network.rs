//! `hardway network`: its exact words for each way in which nodes can be joined.

#![allow(clippy::unwrap_used)] // clippy.toml covers test functions, not their helpers

use std::fs;

use assert_cmd::Command;

#[path = "common/skip.rs"]
mod skip;
use skip::skip;

const UDP: &str = "needs a segment of Unix sockets; a unit test has that of UDP, as on macOS";

/// The default nodes in a cluster with these further fields.
fn network(fields: &str, arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let written = format!(
        r#"{{ "name": "demo", {fields},
          "nodes": {{
            "alpha": {{ "role": "control-plane", "address": "10.240.0.10" }},
            "gamma": {{ "role": "worker", "address": "10.240.0.22" }},
            "sigma": {{ "role": "worker", "address": "10.240.0.21",
                        "forwards": [{{ "host": 8080, "guest": 30080 }}] }}
          }} }}"#
    );
    fs::write(folder.path().join("cluster.json"), written).unwrap();
    let output = Command::cargo_bin("hardway")
        .unwrap()
        .arg("--dir")
        .arg(folder.path())
        .arg("network")
        .args(arguments)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), said.as_str()), (Some(0), ""));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn guests_on_a_segment() {
    if cfg!(target_os = "macos") {
        skip!(UDP);
    }
    insta::assert_snapshot!(network(r#""cni": "bridge""#, &[]));
}

#[test]
fn cilium_on_a_segment() {
    if cfg!(target_os = "macos") {
        skip!(UDP);
    }
    insta::assert_snapshot!(network(r#""cni": "cilium""#, &[]));
}

#[test]
fn guests_with_user_mode_alone() {
    let fields = r#""cni": "bridge", "apiPort": 7443, "network": { "mode": "user" }"#;
    insta::assert_snapshot!(network(fields, &[]));
}

#[test]
fn for_programs() {
    let written = network(r#""cni": "bridge""#, &["--json"]);
    let json: serde_json::Value = serde_json::from_str(&written).unwrap();
    assert_eq!(json["mode"], "segment");
    assert_eq!(json["apiService"], "10.32.0.1");
    assert_eq!(json["nodes"][2]["name"], "sigma");
    assert_eq!(json["nodes"][2]["reachedAt"], "10.240.0.21:10250");
    assert_eq!(json["forwards"][1]["hostPort"], 22010);
    assert_eq!(json["forwards"][1]["purpose"], "ssh");
    assert_eq!(json["forwards"][4]["hostPort"], 8080);
    assert_eq!(json["forwards"][4]["purpose"], "own");
    let closed = json["ways"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|way| way["open"] == false);
    assert_eq!(closed.count(), 2);
}

/// Mermaid itself has drawn these.
#[test]
fn a_picture_of_guests_on_a_segment() {
    insta::assert_snapshot!(network(r#""cni": "bridge""#, &["--mermaid"]));
}

#[test]
fn a_picture_of_guests_with_user_mode_alone() {
    let fields = r#""cni": "bridge", "network": { "mode": "user" }"#;
    insta::assert_snapshot!(network(fields, &["--mermaid"]));
}

#[test]
fn a_variable_chooses_the_cluster_and_the_option_wins() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["one", "two"] {
        fs::create_dir(folder.path().join(name)).unwrap();
        let written = format!(
            r#"{{ "name": "{name}",
              "nodes": {{
                "alpha": {{ "role": "control-plane", "address": "10.240.0.10" }},
                "sigma": {{ "role": "worker", "address": "10.240.0.21" }} }} }}"#
        );
        fs::write(folder.path().join(name).join("cluster.json"), written).unwrap();
    }
    let cluster = |arguments: &[&str]| -> String {
        let output = Command::cargo_bin("hardway")
            .unwrap()
            .current_dir(folder.path())
            .env("HARDWAY_DIR", "one")
            .args(["network", "--json"])
            .args(arguments)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), said.as_str()), (Some(0), ""));
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        json["cluster"].as_str().unwrap().to_owned()
    };
    assert_eq!(cluster(&[]), "one");
    assert_eq!(cluster(&["--dir", "two"]), "two");
}
