//! `hardway ssh`: what the system's ssh is told, and what is said instead where it would
//! only fail. ssh is a stand-in that prints its arguments.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;

use common::state::Paths;
use hardway::ops::generate;
use model::plan::plan;
use model::topology;
use serde_json::{Value, json};

use crate::support::Cluster;

/// alpha and sigma, with keys, and a machine of sigma's that knows its own.
fn cluster() -> Cluster {
    let mut cluster = Cluster::new(|_| (404, json!({})));
    // The authorities of the stand-in have no keys, so these come from another folder.
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = Paths::new(folder.path());
    let topology = topology::load(&cluster.paths).unwrap();
    generate::write(&topology, &plan(&topology), &elsewhere).unwrap();
    for entry in fs::read_dir(elsewhere.pki()).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name().to_str().unwrap().starts_with("ssh-") {
            fs::copy(entry.path(), cluster.paths.pki().join(entry.file_name())).unwrap();
        }
    }
    cluster.silent_machine("sigma");
    let sigma = topology.node("sigma").unwrap();
    let port = sigma.guest().unwrap().ssh_port;
    note(
        &cluster,
        &pki::ssh_host(&cluster.paths, &sigma.name).unwrap().into(),
    );
    let argv = format!("hostfwd=tcp:127.0.0.1:{port}-:22");
    fs::write(cluster.files("sigma").argv(), argv).unwrap();
    cluster
}

/// installed.json of sigma.
fn note(cluster: &Cluster, key: &Value) {
    let record = json!({
        "medium": "", "mediumSha256": "", "flakeSha256": "", "keysSha256": "", "system": "",
        "finished": "", "sshHostKey": key,
    });
    fs::write(cluster.files("sigma").installed(), record.to_string()).unwrap();
}

/// Runs it with a stand-in for ssh; what it said, paths and the key in brackets.
fn run(cluster: &Cluster, arguments: &[&str]) -> (i32, String, String) {
    let bin = tempfile::tempdir().unwrap();
    let ssh = bin.path().join("ssh");
    fs::write(&ssh, "#!/bin/sh\nprintf '%s\\n' \"$@\"\nexit 7\n").unwrap();
    fs::set_permissions(&ssh, fs::Permissions::from_mode(0o755)).unwrap();
    said(cluster, bin.path(), arguments)
}

fn said(cluster: &Cluster, path: &Path, arguments: &[&str]) -> (i32, String, String) {
    let mut command = cluster.command(&[&["ssh"], arguments].concat());
    let Output {
        status,
        stdout,
        stderr,
    } = command.env("PATH", path).output().unwrap();
    let dir = cluster.paths.dir.to_str().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap().replace(dir, "[cluster]");
    (status.code().unwrap(), text(stdout), text(stderr))
}

#[test]
fn ssh_is_told_whom_it_has_to_meet() {
    let cluster = cluster();
    let (code, stdout, stderr) = run(&cluster, &["sigma", "systemctl", "cat", "--", "kubelet"]);
    assert_eq!((code, stderr.as_str()), (7, ""));
    assert_eq!(
        stdout,
        "-F\n[cluster]/.hardway/ssh/config\nsigma\nsystemctl\ncat\n--\nkubelet\n"
    );
    for file in ["config", "known_hosts"] {
        let file = cluster.paths.ssh().join(file);
        assert_eq!(
            fs::metadata(file).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
    // Each node's public key under its name, and no private one.
    let known = fs::read_to_string(cluster.paths.ssh_known_hosts()).unwrap();
    let names: Vec<&str> = known
        .lines()
        .filter_map(|line| line.split_once(" ssh-ed25519 AAAA"))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, ["alpha", "sigma"], "{known}");
    let config = fs::read_to_string(cluster.paths.ssh_config()).unwrap();
    assert!(
        config.contains("\n  StrictHostKeyChecking yes\n"),
        "{config}"
    );
}

#[test]
fn what_stands_in_the_way_comes_with_what_to_type() {
    let cluster = cluster();
    let refused = |arguments: &[&str]| {
        let (code, stdout, stderr) = run(&cluster, arguments);
        assert_eq!((code, stdout.as_str()), (1, ""));
        format!("$ hardway ssh {}\n{stderr}", arguments.join(" "))
    };
    let mut all = refused(&["omega"]);
    all += &refused(&["alpha"]);
    cluster.installed("alpha");
    all += &refused(&["alpha", "uptime"]);

    let key = fs::read_to_string(cluster.files("sigma").installed()).unwrap();
    note(&cluster, &Value::Null);
    all += "# installed by an earlier hardway\n";
    all += &refused(&["sigma"]);
    note(&cluster, &json!("ssh-ed25519 AAAA"));
    all += "# whose keys were lost since\n";
    all += &refused(&["sigma"]);
    fs::write(cluster.files("sigma").installed(), key).unwrap();
    fs::write(cluster.files("sigma").argv(), "qemu").unwrap();
    all += "# started by an earlier hardway\n";
    let port = topology::load(&cluster.paths).unwrap();
    let port = port.node("sigma").unwrap().guest().unwrap().ssh_port;
    all += &refused(&["sigma"]).replace(&port.to_string(), "[port]");

    let empty = tempfile::tempdir().unwrap();
    let (code, _, stderr) = said(&cluster, empty.path(), &["sigma"]);
    assert_eq!(code, 1);
    all += "# without ssh\n";
    all += &stderr;
    insta::assert_snapshot!(all);
}

/// A machine of one's own is reached with one's own keys and configuration.
#[test]
fn a_machine_of_ones_own() {
    let cluster = cluster();
    let own = json!({
        "cni": "bridge",
        "nodes": {
            "alpha": { "role": "control-plane", "address": "10.240.0.10",
                       "machine": { "ssh": "root@192.0.2.10", "interface": "eth0" } },
            "sigma": { "role": "worker", "address": "10.240.0.21",
                       "machine": { "ssh": "admin@192.0.2.21", "interface": "eth0" } },
        },
    });
    fs::write(cluster.paths.cluster_json(), own.to_string()).unwrap();
    let (code, stdout, stderr) = run(&cluster, &["sigma", "uptime"]);
    assert_eq!((code, stderr.as_str()), (7, ""));
    assert_eq!(stdout, "admin@192.0.2.21\nuptime\n");
}
