//! `hardway apply`: what differs, what is told of it, and the way back. A guest is a
//! closure that answers the scripts as a node would.

use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hardway::deploy::tarball;
use model::{plan, topology};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::{Cluster, base64, listed};

/// What sigma does with jobs, and what it was asked for.
#[derive(Default)]
struct Node {
    /// What a job prints, and its exit code.
    job: (String, i32),
    /// Whether a switch makes a generation.
    switches: bool,
    jobs: Vec<String>,
}

/// alpha and sigma run what is generated from cluster.json now; sigma has a module.
fn cluster(node: Node) -> (Cluster, Arc<Mutex<Node>>) {
    let cluster = Cluster::new(|_| (404, json!({})));
    // A PKI of its own, in the place of the API server's stand-in's.
    fs::remove_dir_all(cluster.paths.pki()).unwrap();
    with_module(cluster, "sigma", node)
}

/// The same cluster; the node of this name has a module.
fn with_module(mut cluster: Cluster, owner: &str, node: Node) -> (Cluster, Arc<Mutex<Node>>) {
    let file = cluster.paths.cluster_json();
    let mut json: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    json["nodes"][owner]["modules"] = json!(["./mine.nix"]);
    fs::write(&file, json.to_string()).unwrap();
    fs::write(cluster.paths.dir.join("mine.nix"), "{ }\n").unwrap();
    assert_eq!(cluster.hardway(&["generate"]).code, 0);

    let node = Arc::new(Mutex::new(node));
    for name in ["alpha", "sigma"] {
        let topology = topology::load(&cluster.paths).unwrap();
        let plan = plan::plan(&topology);
        let plan = plan
            .nodes
            .iter()
            .find(|plan| plan.name.as_str() == name)
            .unwrap();
        let flake = tarball::flake(&topology, topology.node(name).unwrap(), plan).unwrap();
        let sums: String = pki::node_files(plan, &cluster.paths)
            .unwrap()
            .iter()
            .map(|(name, bytes)| format!("{:x}  {name}\n", Sha256::digest(bytes)))
            .collect();
        let (flake, node) = (base64(&flake), Arc::clone(&node));
        cluster.machine(name, Duration::ZERO, move |words| {
            answer(name, words, &flake, &sums, &mut node.lock().unwrap())
        });
    }
    (cluster, node)
}

const ALPHA: [&str; 5] = [
    "hardway-pki",
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
];

fn answer(name: &str, words: &[&str], flake: &str, sums: &str, node: &mut Node) -> (i32, String) {
    if words[..2] == ["systemctl", "list-units"] {
        return (0, listed(&ALPHA.map(|unit| (unit, "active"))));
    }
    if words[..2] == ["readlink", "-e"] {
        let boot = format!("rebuild boot --no-reexec --flake \"path:/etc/hardway.new#{name}-");
        let boots = node.jobs.iter().any(|job| job.contains(&boot));
        let next = if boots { 2 } else { 1 };
        return (0, format!("/nix/store/1\n/nix/store/{next}\n"));
    }
    assert_eq!((words[0], words[1]), ("/bin/sh", "-c"), "{words:?}");
    let does = |part: &str| words[2].contains(part);
    let said = if does("systemd-run") {
        node.jobs.push(words[6].to_owned());
        String::new()
    } else if does("tar -C /etc/hardway") {
        flake.to_owned()
    } else if does("sha256sum -- ") {
        sums.to_owned()
    } else if does("--property=ExecMainStatus") {
        let back = node.jobs.last().is_some_and(|job| job.starts_with("ln "));
        let boot = node
            .jobs
            .last()
            .is_some_and(|job| job.contains("rebuild boot "));
        let state = match if back || boot { 0 } else { node.job.1 } {
            0 => "ActiveState=active\nSubState=exited\nExecMainStatus=0\n".to_owned(),
            code => format!("ActiveState=failed\nSubState=failed\nExecMainStatus={code}\n"),
        };
        return (0, state);
    } else if does("exec tail") {
        node.job.0.clone()
    } else if does("--property=RequiredBy") {
        "Id=hardway-pki.service\nActiveState=active\nRequiredBy=kubelet.service\n\n\
         Id=kubelet.service\nActiveState=active\nConsistsOf=cadvisor.service\n\n\
         Id=cadvisor.service\nActiveState=active\n"
            .to_owned()
    } else if does("readlink") {
        let number = if node.switches && !node.jobs.is_empty() {
            2
        } else {
            1
        };
        format!("system-{number}-link\n")
    } else {
        String::new()
    };
    (0, said)
}

/// What it said, with times in brackets.
fn told(text: &str) -> String {
    let lines: Vec<String> = text
        .lines()
        .map(|line| {
            let mut words: Vec<&str> = line.split(' ').collect();
            for at in 1..words.len() {
                if words[at].trim_end_matches(')') == "s"
                    && words[at - 1].trim_start_matches('(').parse::<f64>().is_ok()
                {
                    words[at - 1] = "[time]";
                    words[at] = "";
                }
            }
            words.join(" ").trim_end().to_owned()
        })
        .collect();
    lines.join("\n")
}

const DIFF: &str = "--- /etc/hardway/extra/sigma/0-mine.nix
+++ /etc/hardway/extra/sigma/0-mine.nix (generated)
@@ -1 +1 @@
-{ }
+{ hardway.components.kubelet.flags.v = 3; }
";

fn change(cluster: &Cluster) {
    fs::write(
        cluster.paths.dir.join("mine.nix"),
        "{ hardway.components.kubelet.flags.v = 3; }\n",
    )
    .unwrap();
}

#[test]
fn where_all_is_as_generated_nothing_is_done() {
    let (cluster, node) = cluster(Node::default());
    for arguments in [&["apply"][..], &["apply", "--dry-run"]] {
        let said = cluster.hardway(arguments);
        assert_eq!(
            (said.code, said.stdout.as_str(), said.stderr.as_str()),
            (
                0,
                "nothing to do: alpha, sigma run what is generated now\n",
                ""
            )
        );
    }
    let said = cluster.hardway(&["apply", "alpha", "--json"]);
    let json: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(
        json,
        json!({
            "dryRun": false, "upToDate": true, "checks": [],
            "nodes": [{ "node": "alpha", "files": [], "keys": [], "would": null, "nextBoot": null,
                "bootPending": false, "restarted": null }],
        })
    );
    assert!(node.lock().unwrap().jobs.is_empty());
}

#[test]
fn a_dry_run_tells_what_differs_and_the_units_that_would_be_touched() {
    let (cluster, node) = cluster(Node {
        job: (
            "building…\nwould restart the following units: kubelet.service\n".to_owned(),
            0,
        ),
        ..Node::default()
    });
    change(&cluster);
    // A certificate too: its name is told, and nothing that is in it.
    let files = cluster.paths.pki();
    for file in ["kubelet-serving-sigma.pem", "kubelet-serving-sigma-key.pem"] {
        fs::remove_file(files.join(file)).unwrap();
    }
    let said = cluster.hardway(&["apply", "--dry-run"]);
    assert_eq!(
        (said.code, said.stdout.as_str(), said.stderr.as_str()),
        (
            1,
            "",
            "error: cannot gather the keys of the node sigma\n\
             caused by: there is no [cluster]/.hardway/pki/kubelet-serving-sigma-key.pem\n\
             hint: run `hardway generate`\n"
        )
    );
    assert_eq!(cluster.hardway(&["generate"]).code, 0);
    let said = cluster.hardway(&["apply", "--dry-run"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert_eq!(
        said.stdout,
        format!(
            "{DIFF}sigma: keys that differ: kubelet-serving-sigma-key.pem, kubelet-serving-sigma.pem\n\
             sigma: would restart kubelet.service\n\
             sigma: would restart along with these: cadvisor.service\n"
        )
    );
    assert_eq!(
        node.lock().unwrap().jobs,
        [
            "exec nixos-rebuild dry-activate --no-reexec --flake \"path:/run/hardway-apply/flake#sigma-$(uname -m)-linux\""
        ]
    );
}

#[test]
fn what_nixos_refuses_changes_nothing() {
    let (cluster, node) = cluster(Node {
        job: ("error: The option `foo' does not exist.\n".to_owned(), 1),
        ..Node::default()
    });
    change(&cluster);
    let said = cluster.hardway(&["apply", "sigma"]);
    assert_eq!((said.code, said.stdout.as_str()), (1, DIFF));
    assert_eq!(
        told(&said.stderr),
        "sigma:   send [time]
sigma:   switch broke off after [time]
sigma:   back [time]
sigma was not changed
error: cannot apply what is generated now to sigma
caused by: nixos-rebuild switch ended with 1
caused by: error: The option `foo' does not exist.
hint: no node was left changed; mend it, then `hardway apply` again"
    );
    assert_eq!(node.lock().unwrap().jobs.len(), 1);
}

/// In NixOS' words.
const REFUSED: &str = "building the system configuration...
Checking switch inhibitors...
There are changes to critical components of the system:

dbus-implementation : dbus -> broker

Switching into this system is not recommended.
You probably want to run 'nixos-rebuild boot' and reboot your system instead.

If you really want to switch into this configuration directly, then
you can set NIXOS_NO_CHECK=1 to ignore pre-switch checks.

WARNING: doing so might cause the switch to fail or your system to become unstable.

Pre-switch check 'switchInhibitors' failed
Pre-switch checks failed
";

#[test]
fn what_nixos_takes_at_the_next_boot_only_is_set_for_it() {
    let cluster = Cluster::generated(&["sigma"], |_, path, _| match path {
        "/readyz" => (200, json!("ok")),
        _ => (404, json!({})),
    });
    let node = Node {
        job: (REFUSED.to_owned(), 1),
        switches: true,
        ..Node::default()
    };
    let (cluster, node) = with_module(cluster, "alpha", node);
    change(&cluster);
    let diff = DIFF.replace("sigma", "alpha");
    let refusal = "alpha: NixOS does not switch to this while it runs \
                   (dbus-implementation : dbus -> broker)";
    let said = cluster.hardway(&["apply", "--dry-run"]);
    assert_eq!(
        (said.code, said.stdout, told(&said.stderr).as_str()),
        (
            0,
            format!("{diff}{refusal}: would set it for the next boot\n"),
            "alpha:   evaluate [time]"
        )
    );

    let said = cluster.hardway(&["apply", "--no-verify"]);
    assert_eq!(
        (said.code, told(&said.stdout)),
        (
            0,
            format!(
                "{diff}alpha: no unit was restarted\n\
                 {refusal}: it is set for the next boot; \
                 restart the machines with `hardway down && hardway up`\n\
                 applied to alpha in [time]"
            )
        ),
        "{}",
        said.stderr
    );
    assert_eq!(
        node.lock().unwrap().jobs[1..],
        ["switch", "boot"].map(|verb| format!(
            "exec nixos-rebuild {verb} --no-reexec \
             --flake \"path:/etc/hardway.new#alpha-$(uname -m)-linux\""
        ))
    );

    // It has what is generated, as the next boot's configuration alone.
    fs::write(cluster.paths.dir.join("mine.nix"), "{ }\n").unwrap();
    let pending = "nothing to do: sigma run what is generated now\n\
        alpha: a configuration waits for the next boot; restart the machines with \
        `hardway down && hardway up`\n";
    for arguments in [&["apply", "--no-verify"][..], &["apply", "--dry-run"]] {
        let said = cluster.hardway(arguments);
        assert_eq!(
            (said.code, said.stdout.as_str(), said.stderr.as_str()),
            (0, pending, "")
        );
    }
    let said = cluster.hardway(&["apply", "alpha", "--json"]);
    let json: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(json["upToDate"], false);
    assert_eq!(json["nodes"][0]["bootPending"], true);
}

#[test]
fn a_node_whose_unit_fails_goes_back_to_the_generation_before() {
    let (cluster, node) = cluster(Node {
        job: (
            "warning: the following units failed: kubelet.service\n".to_owned(),
            4,
        ),
        switches: true,
        ..Node::default()
    });
    change(&cluster);
    let said = cluster.hardway(&["apply"]);
    assert_eq!((said.code, said.stdout.as_str()), (1, DIFF));
    assert_eq!(
        told(&said.stderr),
        "sigma:   send [time]
sigma:   switch broke off after [time]
sigma:   back [time]
sigma runs what it ran before again [time]
error: cannot apply what is generated now to sigma
caused by: nixos-rebuild switch ended with 4
caused by: warning: the following units failed: kubelet.service
hint: no node was left changed; mend it, then `hardway apply` again"
    );
    assert_eq!(
        node.lock().unwrap().jobs,
        [
            "exec nixos-rebuild switch --no-reexec --flake \"path:/etc/hardway.new#sigma-$(uname -m)-linux\"",
            "ln -sfn system-1-link /nix/var/nix/profiles/system && \
             exec /nix/var/nix/profiles/system/bin/switch-to-configuration switch",
        ]
    );
}

#[test]
fn a_machine_that_is_off_or_not_there_is_told() {
    let (mut cluster, _) = cluster(Node::default());
    cluster.dies("sigma");
    let said = cluster.hardway(&["apply"]);
    assert_eq!(
        (said.code, said.stdout.as_str(), said.stderr.as_str()),
        (
            1,
            "",
            "error: sigma's machine does not run\nhint: start it: hardway up\n"
        )
    );
    let said = cluster.hardway(&["apply", "omega"]);
    assert_eq!(
        (said.code, said.stdout.as_str(), said.stderr.as_str()),
        (
            1,
            "",
            "error: cluster.json has no node \"omega\"\nhint: its nodes are alpha, sigma\n"
        )
    );
}
