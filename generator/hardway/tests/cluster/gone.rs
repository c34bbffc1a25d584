//! `up` where cluster.json no longer has a node that there is.

use std::path::Path;

use serde_json::json;

use crate::support::{cluster, hardway};

/// A machine that cluster.json does not have, as far as a folder makes one.
fn left_behind(dir: &Path, name: &str) {
    let folder = dir.join(".hardway/nodes").join(name);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("disk.qcow2"), "").unwrap();
}

#[test]
fn up_asks_before_it_removes_a_node() {
    let folder = cluster();
    let dir = folder.path();
    left_behind(dir, "iota");
    left_behind(dir, "theta");
    let snapshots = dir.join(".hardway/snapshots");
    std::fs::create_dir(&snapshots).unwrap();
    let generation = json!({ "flakeSha256": "", "keysSha256": "", "installed": "" });
    let record = json!({
        "name": "monday", "description": null, "taken": "2026-11-23T08:00:00Z", "kind": "cold",
        "topologySha256": "", "pkiSha256": null, "generation": { "theta": generation },
        "platform": {
            "qemu": "", "machine": "", "accelerator": "tcg", "cpu": "", "firmwareSha256": "",
        },
    });
    std::fs::write(snapshots.join("monday.json"), record.to_string()).unwrap();

    let (code, stdout, stderr) = hardway(dir, &["up"]);
    assert_eq!((code, stdout.as_str()), (2, ""));
    assert_eq!(
        stderr,
        "\
cluster.json no longer has iota and theta. `up` removes, for good:
  the Node iota, with its Pods
  the machine iota and its disk
  iota's keys and certificates
  the Node theta, with its Pods
  the machine theta and its disk
  theta's keys and certificates
  iota and theta's part of these snapshots, which can't be restored without it: monday
error: nobody is there to confirm it
hint: say `hardway up --yes`, or put iota and theta into cluster.json again
"
    );
    let (code, stdout, stderr) = hardway(dir, &["up", "--dry-run"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert_eq!(
        stdout,
        "\
would install and start alpha, gamma and sigma
would evict the Pods of iota, delete its Node and shut it down
would remove the disk, keys and certificates of iota
would evict the Pods of theta, delete its Node and shut it down
would remove the disk, keys and certificates of theta
lost for good:
  the Node iota, with its Pods
  the machine iota and its disk
  iota's keys and certificates
  the Node theta, with its Pods
  the machine theta and its disk
  theta's keys and certificates
  iota and theta's part of these snapshots, which can't be restored without it: monday
"
    );
    let (code, stdout, _) = hardway(dir, &["up", "--dry-run", "--json"]);
    let told: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, &told["dryRun"]), (0, &json!(true)));
    let first = json!({ "what": "install and start alpha, gamma and sigma" });
    assert_eq!(told["would"][0], first);
    assert_eq!(told["lost"][0], "the Node iota, with its Pods");
    assert!(
        !dir.join("hosts").exists(),
        "nothing is written before the yes"
    );
}

#[test]
fn up_removes_no_control_plane() {
    let folder = cluster();
    let dir = folder.path();
    assert_eq!(hardway(dir, &["generate"]).0, 0);
    left_behind(dir, "alpha");
    let path = dir.join("cluster.json");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("\"alpha\"", "\"omega\"")).unwrap();
    let (code, stdout, stderr) = hardway(dir, &["up", "--yes"]);
    assert_eq!((code, stdout.as_str()), (1, ""));
    assert_eq!(
        stderr,
        "\
error: cluster.json no longer has alpha, which is a control plane: etcd's data is on its disk
hint: give cluster.json back its node alpha; a cluster with another control plane is another \
cluster: hardway destroy, then hardway up
"
    );
    assert!(!dir.join("hosts/omega").exists());
}
