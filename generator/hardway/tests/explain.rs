//! `hardway explain`: what a person, and a script, read of a cluster's flags.

#![allow(clippy::unwrap_used, clippy::expect_used)] // clippy.toml covers test functions, not their helpers

use std::fs;

use assert_cmd::Command;
use serde_json::Value;

/// A worker and its control plane: short enough to read, and no Cilium.
const CLUSTER: &str = r#"{
  "cni": "bridge",
  "nodes": {
    "hub": { "role": "control-plane", "address": "10.240.0.10" },
    "west": { "role": "worker", "address": "10.240.0.21" }
  }
}
"#;

/// The exit code, stdout and stderr.
fn explain(args: &[&str]) -> (i32, String, String) {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("cluster.json"), CLUSTER).unwrap();
    let mut command = Command::cargo_bin("hardway").unwrap();
    let command = command.current_dir(dir.path()).arg("explain").args(args);
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let code = output.status.code().unwrap();
    (code, text(output.stdout), text(output.stderr))
}

#[test]
fn alone_it_lists_what_runs_where() {
    let (code, out, err) = explain(&[]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(
        out,
        "containerd               west  pulls images and runs containers, at the kubelet's word
etcd                     hub   stores the state of the cluster; only the API server talks to it
kube-apiserver           hub   serves the Kubernetes API; every other component is its client
kube-controller-manager  hub   runs the control loops (Deployments, Nodes, tokens, …)
kube-proxy               west  sends what is addressed to a Service to one of its Pods, by nftables
kube-scheduler           hub   chooses the node on which a new Pod runs
kubelet                  west  runs the Pods that the API server assigns to this node

`hardway explain COMPONENT` lists its flags, `hardway explain COMPONENT FLAG` explains one.
"
    );
}

#[test]
fn a_flag_is_explained_in_full() {
    let (code, out, err) = explain(&["kube-scheduler", "--bind-address"]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(
        out,
        "kube-scheduler --bind-address=127.0.0.1
  on hub

what     Where the scheduler listens for health checks and metrics.
why      Nobody but hub itself calls it, so the loopback is enough, and nothing of it shows
         on the network.
without  The default is 0.0.0.0. Then only the firewall of hub stands between the network
         and the scheduler's port; one opened rule, and all nodes reach it.
read on  https://kubernetes.io/docs/reference/command-line-tools-reference/kube-scheduler/
"
    );
}

#[test]
fn a_misspelt_name_is_answered_with_the_nearest() {
    let (code, out, err) = explain(&["kubelet", "--hostname-overide"]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert_eq!(
        err,
        "error: kubelet has no flag and no field \"--hostname-overide\" here
hint: did you mean hostname-override?
"
    );
    let (code, out, err) = explain(&["kubelt"]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert_eq!(
        err,
        "error: no node of hardway runs \"kubelt\"\nhint: did you mean kubelet?\n"
    );
}

#[test]
fn what_only_cilium_has_says_so() {
    let (code, out, err) = explain(&["kube-controller-manager", "cluster-cidr"]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert_eq!(
        err,
        "error: kube-controller-manager has no --cluster-cidr in this cluster
hint: it is there with \"cni\": \"cilium\" in cluster.json
"
    );
}

#[test]
fn as_json_a_field_comes_with_its_value() {
    let (code, out, err) = explain(&["kubelet", "clusterDNS", "--json"]);
    assert_eq!((code, err.as_str()), (0, ""));
    let said: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(said["component"], "kubelet");
    assert_eq!(said["item"]["name"], "clusterDNS");
    assert_eq!(said["item"]["values"][0]["nodes"][0], "west");
    assert_eq!(said["item"]["values"][0]["value"], "[\"10.32.0.10\"]");
    let what = said["explained"]["what"].as_str().unwrap();
    assert!(what.ends_with(": 10.32.0.10."), "{what}");
}
