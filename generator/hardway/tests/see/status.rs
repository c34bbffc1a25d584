//! `hardway status`: what is well, what is wrong, and what to type about it.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Cluster, listed};

const NONE: Duration = Duration::ZERO;

/// Every component's unit, of whichever node.
const UNITS: [&str; 8] = [
    "hardway-pki",
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "containerd",
    "kube-proxy",
    "kubelet",
];

/// What systemd says where `unit` alone is in another state than active.
fn all_active_but(words: &[&str], unit: &str, state: &str) -> (i32, String) {
    if words[0] == "readlink" {
        return systems(1);
    }
    assert_eq!(words[..2], ["systemctl", "list-units"]);
    let mut units: Vec<_> = UNITS.iter().map(|unit| (*unit, "active")).collect();
    units.retain(|(one, _)| *one != unit);
    units.push((unit, state));
    (0, listed(&units))
}

/// What a node says that runs the first configuration and boots this one next.
fn systems(next: u8) -> (i32, String) {
    (
        0,
        format!("/nix/store/1-system\n/nix/store/{next}-system\n"),
    )
}

fn all_active(words: &[&str]) -> (i32, String) {
    all_active_but(words, "dbus", "active")
}

fn node(ready: &str) -> Value {
    json!({ "items": [{
        "metadata": { "name": "sigma" },
        "status": {
            "addresses": [{ "type": "InternalIP", "address": "10.240.0.21" }],
            "conditions": [{ "type": "Ready", "status": ready, "message": "Kubelet stopped posting node status." }],
            "nodeInfo": { "kubeletVersion": "v1.36.3" },
        },
    }] })
}

fn coredns(available: u64) -> Value {
    let status = if available > 0 { "True" } else { "False" };
    json!({
        "metadata": { "generation": 1 },
        "spec": { "replicas": 1, "template": { "spec": { "containers": [
            { "image": "registry.k8s.io/coredns/coredns:v1.14.0" },
        ] } } },
        "status": {
            "observedGeneration": 1, "availableReplicas": available,
            "conditions": [{ "type": "Available", "status": status }],
        },
    })
}

fn well(path: &str) -> (u16, Value) {
    match path {
        "/readyz" => (200, json!("ok")),
        "/api/v1/nodes" => (200, node("True")),
        _ => (200, coredns(1)),
    }
}

fn unwell(path: &str) -> (u16, Value) {
    match path {
        "/readyz" => (200, json!("ok")),
        "/api/v1/nodes" => (200, node("Unknown")),
        _ if path.contains("/pods") => (200, json!({ "items": [] })),
        _ => (200, coredns(0)),
    }
}

fn not_ready(path: &str) -> (u16, Value) {
    match path {
        "/readyz" => (500, json!({ "message": "etcd failed: reason withheld" })),
        _ => (404, json!({ "message": "not found" })),
    }
}

#[test]
fn a_cluster_that_is_well() {
    let mut cluster = Cluster::new(well);
    cluster.machine("alpha", NONE, all_active);
    cluster.machine("sigma", NONE, all_active);
    let table = "\
look: API https://127.0.0.1:[port] ready
NAME     ROLE           MACHINE  UNITS  READY  VERSION  INTERNAL-IP
alpha    control-plane  running  5/5    -      -        -
sigma    worker         running  4/4    yes    v1.36.3  10.240.0.21
CoreDNS  addon          -        -      1/1    v1.14.0  -
";
    cluster.says(&["status"], table);

    let status: Value =
        serde_json::from_str(&cluster.hardway(&["status", "--json"]).stdout).unwrap();
    assert_eq!(status["nodes"][1]["units"]["kubelet.service"], "active");
    assert_eq!(status["nodes"][1]["machine"], "running");

    // Again and again, apart by a line; and a reader that leaves ends it.
    let mut watch = cluster
        .command(&["status", "--watch"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    let heads = lines.by_ref().map_while(Result::ok);
    let seen: Vec<String> = heads.take_while(|line| line != "---").collect();
    assert_eq!(seen.len(), 5, "{seen:?}");
    drop(lines);
    assert_eq!(watch.wait().unwrap().code(), Some(0));
}

#[test]
fn what_is_wrong_comes_with_what_to_type() {
    let mut cluster = Cluster::new(unwell);
    cluster.machine("alpha", Duration::from_millis(3_600_900), |words| {
        all_active_but(words, "kube-scheduler", "failed")
    });
    cluster.machine("sigma", NONE, all_active);
    cluster.dies("sigma");
    cluster.says(
        &["status"],
        "\
look: API https://127.0.0.1:[port] ready
NAME     ROLE           MACHINE  UNITS  READY  VERSION  INTERNAL-IP
alpha    control-plane  running  4/5    -      -        -
sigma    worker         died     -      no     v1.36.3  10.240.0.21
CoreDNS  addon          -        -      0/1    v1.14.0  -

alpha's clock was 3600 s behind, as after the host has slept; it is set right

kube-scheduler.service on alpha is failed
    hardway logs alpha kube-scheduler

sigma's machine died; what QEMU said is in [cluster]/.hardway/nodes/sigma/qemu.log
    hardway up

CoreDNS is not ready: no Pod has been created
    hardway kubectl -n kube-system describe pods -l k8s-app=kube-dns
",
    );
}

#[test]
fn an_api_server_that_is_not_ready_and_a_guest_that_is_silent() {
    let mut cluster = Cluster::new(not_ready);
    cluster.machine("alpha", NONE, all_active);
    cluster.silent_machine("sigma");
    cluster.says(
        &["status"],
        "\
look: API https://127.0.0.1:[port] not ready: HTTP 500: etcd failed: reason withheld
NAME   ROLE           MACHINE  UNITS  READY  VERSION  INTERNAL-IP
alpha  control-plane  running  5/5    -      -        -
sigma  worker         running  -      -      -        -

sigma runs, and its guest agent does not answer: it starts, or hangs
    hardway console sigma

the API server is not ready: HTTP 500: etcd failed: reason withheld
    hardway logs alpha kube-apiserver
",
    );
}

#[test]
fn machines_that_are_off() {
    let cluster = Cluster::new(well);
    cluster.installed("alpha");
    cluster.says(
        &["status"],
        "\
look: API https://127.0.0.1:[port] not ready: no machine runs
NAME   ROLE           MACHINE        UNITS  READY  VERSION  INTERNAL-IP
alpha  control-plane  stopped        -      -      -        -
sigma  worker         not installed  -      -      -        -

sigma is not installed
    hardway up

alpha is stopped
    hardway up
",
    );
}

#[test]
fn machines_that_cluster_json_no_longer_has() {
    let mut cluster = Cluster::new(well);
    cluster.machine("alpha", NONE, all_active);
    cluster.machine("sigma", NONE, all_active);
    cluster.silent_machine("theta");
    cluster.installed("iota");
    cluster.says(
        &["status"],
        "\
look: API https://127.0.0.1:[port] ready
NAME     ROLE           MACHINE  UNITS  READY  VERSION  INTERNAL-IP
alpha    control-plane  running  5/5    -      -        -
sigma    worker         running  4/4    yes    v1.36.3  10.240.0.21
CoreDNS  addon          -        -      1/1    v1.14.0  -

cluster.json no longer has iota, whose machine is on this host's disk; `up` asks, and removes it
    hardway up

cluster.json no longer has theta, whose machine runs; `up` asks, and removes it
    hardway up
",
    );
    let said = cluster.hardway(&["status", "--json"]).stdout;
    let status: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(
        status["leftovers"],
        json!([
            { "name": "iota", "controlPlane": false, "running": false },
            { "name": "theta", "controlPlane": false, "running": true },
        ])
    );
}

/// Its disk is the cluster: `up` does not remove it.
#[test]
fn a_control_plane_that_cluster_json_no_longer_has() {
    let cluster = Cluster::new(well);
    cluster.installed("omega");
    std::fs::write(cluster.paths.pki().join("etcd-peer-omega.pem"), "").unwrap();
    cluster.says(
        &["status"],
        "\
look: API https://127.0.0.1:[port] not ready: no machine runs
NAME   ROLE           MACHINE        UNITS  READY  VERSION  INTERNAL-IP
alpha  control-plane  not installed  -      -      -        -
sigma  worker         not installed  -      -      -        -

alpha, sigma are not installed
    hardway up

cluster.json no longer has omega, a control plane: etcd's data is on its disk
    give cluster.json back its node omega; a cluster with another control plane is another \
cluster: hardway destroy, then hardway up
",
    );
}

/// The unit of someone else is told, and counts as none of the node's.
#[test]
fn a_unit_that_is_not_of_the_cluster_has_failed() {
    let mut cluster = Cluster::new(well);
    cluster.machine("alpha", NONE, all_active);
    cluster.machine("sigma", NONE, |words| {
        all_active_but(words, "logrotate", "failed")
    });
    cluster.says(
        &["status"],
        "\
look: API https://127.0.0.1:[port] ready
NAME     ROLE           MACHINE  UNITS  READY  VERSION  INTERNAL-IP
alpha    control-plane  running  5/5    -      -        -
sigma    worker         running  4/4    yes    v1.36.3  10.240.0.21
CoreDNS  addon          -        -      1/1    v1.14.0  -

warning: logrotate.service on sigma has failed; it is not part of the cluster
    hardway ssh sigma systemctl status logrotate.service
",
    );
}

/// A host that is busy makes a guest slow. Its first word came, so the rest is waited for.
#[test]
fn what_has_begun_to_answer_is_waited_for() {
    fn late(path: &str) -> (u16, Value) {
        if path == "/readyz" {
            sleep(Duration::from_secs(2));
        }
        well(path)
    }
    let mut cluster = Cluster::new(late);
    cluster.machine("alpha", NONE, all_active);
    cluster.machine("sigma", NONE, |words| {
        sleep(Duration::from_secs(3));
        all_active(words)
    });
    cluster.says(
        &["status"],
        "\
look: API https://127.0.0.1:[port] ready
NAME     ROLE           MACHINE  UNITS  READY  VERSION  INTERNAL-IP
alpha    control-plane  running  5/5    -      -        -
sigma    worker         running  4/4    yes    v1.36.3  10.240.0.21
CoreDNS  addon          -        -      1/1    v1.14.0  -
",
    );
}

/// Notes of what an earlier run could not undo: `up` refuses before they are dealt with.
#[test]
fn what_is_left_to_be_undone_comes_first() {
    let mut cluster = Cluster::new(well);
    cluster.machine("alpha", NONE, all_active);
    cluster.installed("sigma");
    let snapshots = cluster.paths.snapshots();
    std::fs::create_dir_all(&snapshots).unwrap();
    let note = json!({
        "verb": "restore one", "tag": "hardway~before-restore", "name": null, "paused": true,
        "back": ["alpha", "sigma"], "off": [],
    });
    std::fs::write(snapshots.join("a.undo"), note.to_string()).unwrap();
    let save = json!({
        "verb": "snapshot save two", "tag": "hardway-two", "name": "two", "paused": true,
        "back": [], "off": [],
    });
    std::fs::write(snapshots.join("b.undo"), save.to_string()).unwrap();
    cluster.says(
        &["status"],
        "\
look: API https://127.0.0.1:[port] ready
NAME     ROLE           MACHINE  UNITS  READY  VERSION  INTERNAL-IP
alpha    control-plane  running  5/5    -      -        -
sigma    worker         stopped  -      yes    v1.36.3  10.240.0.21
CoreDNS  addon          -        -      1/1    v1.14.0  -

`hardway restore one` is not undone yet on alpha and sigma
    hardway snapshot list

`hardway snapshot save two` is not undone yet
    hardway snapshot list

sigma is stopped
    hardway up
",
    );
}

#[test]
fn a_machine_whose_sockets_are_gone() {
    let mut cluster = Cluster::new(well);
    cluster.machine("alpha", NONE, all_active);
    cluster.machine("sigma", NONE, all_active);
    for kind in ["qmp", "qga", "con"] {
        std::fs::remove_file(cluster.socket("sigma", kind)).unwrap();
    }
    cluster.says(
        &["status"],
        "\
look: API https://127.0.0.1:[port] ready
NAME     ROLE           MACHINE  UNITS  READY  VERSION  INTERNAL-IP
alpha    control-plane  running  5/5    -      -        -
sigma    worker         running  -      yes    v1.36.3  10.240.0.21
CoreDNS  addon          -        -      1/1    v1.14.0  -

sigma can't be asked anything: its sockets in [runtime] are gone; it is shut down and started again with
    hardway up
",
    );
    let said = cluster.hardway(&["console", "sigma"]);
    assert_eq!(
        (said.code, said.stderr.as_str()),
        (
            1,
            "error: cannot attach to sigma's console\ncaused by: sigma can't be asked\n\
             caused by: its sockets in [runtime] are gone\nhint: hardway up\n"
        )
    );
}

#[test]
fn a_configuration_that_waits_for_the_next_boot() {
    let mut cluster = Cluster::new(well);
    cluster.machine("alpha", NONE, all_active);
    cluster.machine("sigma", NONE, |words| match words[0] {
        "readlink" => systems(2),
        _ => all_active(words),
    });
    cluster.says(
        &["status"],
        "\
look: API https://127.0.0.1:[port] ready
NAME     ROLE           MACHINE  UNITS  READY  VERSION  INTERNAL-IP
alpha    control-plane  running  5/5    -      -        -
sigma    worker         running  4/4    yes    v1.36.3  10.240.0.21
CoreDNS  addon          -        -      1/1    v1.14.0  -

a configuration of sigma waits for its next boot
    hardway down && hardway up
",
    );
}
