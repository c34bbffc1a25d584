//! Every generated file, as a learner reads it, and as Nix does.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;

use ipnet::Ipv4Net;
use serde_json::{Value, json};

use super::*;
use model::plan::sample::{remote, topology};
use model::plan::{NodePlan, hosts as hosts_of, plan};
use model::topology::{Cni, InterfaceName, Joined, Machine, NetworkMode, Node, NodeName, Topology};

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

/// What Nix reads in a host module is what the plan says: nothing lost on the way, and of
/// the peers' file all but the node's own part.
#[test]
fn nix_reads_the_plan_in_a_host_module() {
    for topology in [
        topology(Cni::Bridge, NetworkMode::Segment),
        topology(Cni::Cilium, NetworkMode::Segment),
        topology(Cni::Bridge, NetworkMode::User),
        remote(Cni::Bridge),
    ] {
        let plan = plan(&topology);
        let folder = tempfile::tempdir().unwrap();
        let files = rendered(&topology, &plan, folder.path()).unwrap();
        apply(&files, folder.path()).unwrap();
        for node in &plan.nodes {
            reads(&topology, node, folder.path());
        }
    }
}

fn reads(topology: &Topology, node: &NodePlan, hosts: &Path) {
    let module = hosts.join(node.name.as_str());
    let out = Command::new("nix-instantiate")
        .args(["--eval", "--strict", "--json", "--store", "dummy://", "-E"])
        .arg(format!("import {} {{ }}", module.display()))
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
        let mut found = read.pointer(&pointer).unwrap().clone();
        if path == "systemd.network.networks"
            && let Some(segment) = found.get_mut("20-segment0")
        {
            segment.as_object_mut().unwrap().remove("routes");
        }
        assert_eq!(found, *value, "{}: {path}", node.name);
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
    let own = topology.node(node.name.as_str()).unwrap();
    assert_eq!(read["networking"]["hosts"], json!(hosts_of(topology, own)));
    let workers = || topology.workers().filter(|other| other.name != node.name);
    let segment: Vec<Value> = workers()
        .map(|to| json!({ "Destination": to.pod_cidr, "Gateway": to.address }))
        .collect();
    let machines: Vec<Value> = workers()
        .map(|to| {
            json!({
                "address": to.pod_cidr.network(),
                "prefixLength": to.pod_cidr.prefix_len(),
                "via": to.address,
            })
        })
        .collect();
    let found = |pointer| read.pointer(pointer);
    let routes = (
        found("/systemd/network/networks/20-segment0/routes"),
        found("/networking/interfaces/enp3s0/ipv4/routes"),
    );
    let (segment, machines) = (json!(segment), json!(machines));
    assert_eq!(
        routes,
        match (topology.cni, topology.joined()) {
            (Cni::Bridge, Joined::Segment) => (Some(&segment), None),
            (Cni::Bridge, Joined::Machines) => (None, Some(&machines)),
            _ => (None, None),
        },
        "{}",
        node.name
    );
}

/// `count` nodes more than the sample has.
fn grown(cni: Cni, count: u16) -> Topology {
    let mut topology = topology(cni, NetworkMode::Segment);
    let model = topology.node("east").unwrap().clone();
    topology.nodes.extend((0..count).map(|n| {
        let [high, low] = n.to_be_bytes();
        Node {
            name: NodeName::parse(&format!("w{n}")).unwrap(),
            address: Ipv4Addr::new(172, 24, high, low),
            pod_cidr: Ipv4Net::new(Ipv4Addr::new(172, 32 + high, low, 0), 24).unwrap(),
            ..model.clone()
        }
    }));
    topology.nodes.sort_by(|a, b| a.name.cmp(&b.name));
    topology
}

/// What grows with the number of nodes stands once: a thousand nodes are as many files of
/// one size, not a thousand times a thousand lines.
#[test]
fn a_host_module_does_not_grow_with_the_number_of_nodes() {
    for cni in [Cni::Bridge, Cni::Cilium] {
        let files = |count| {
            let topology = grown(cni, count);
            let plan = plan(&topology);
            rendered(&topology, &plan, Path::new("/clusters/tiny")).unwrap()
        };
        let (few, many) = (files(0), files(997));
        for node in ["east", "hub"] {
            let module = Path::new(node).join("default.nix");
            assert_eq!(few[&module], many[&module], "{node}");
        }
        assert_eq!(
            many.keys()
                .filter(|path| path.ends_with("default.nix"))
                .count(),
            1001
        );
        let peers = |files: &Files| files[Path::new("peers.nix")].lines().count();
        let lines = if cni == Cni::Bridge { 5 } else { 1 };
        assert_eq!(peers(&many) - peers(&few), 997 * lines);
        let bytes: usize = many.values().map(String::len).sum();
        assert!(bytes < 10 << 20, "{bytes} bytes");
    }
}

/// Of the longest names too, as nixfmt breaks them.
#[test]
fn a_line_fits_the_width_that_nixfmt_has() {
    for length in [1, 48, 49, 50, 63] {
        let mut topology = topology(Cni::Bridge, NetworkMode::Segment);
        topology.nodes[0].name = NodeName::parse(&"w".repeat(length)).unwrap();
        let text = host_module(&plan(&topology).nodes[0]).unwrap();
        let line = text
            .lines()
            .find(|line| line.contains("removeAttrs"))
            .unwrap();
        assert!(line.len() <= 100, "{line}");
        assert_eq!(line.ends_with(" ]"), length < 50, "{line}");
    }
    for interface in ["enp3s0", "enp0s31f6.12345"] {
        let mut topology = remote(Cni::Bridge);
        let Machine::Remote(machine) = &mut topology.nodes[1].machine else {
            panic!("no machine of one's own");
        };
        machine.interface = InterfaceName::parse(interface).ok();
        let text = host_module(&plan(&topology).nodes[1]).unwrap();
        let line = text
            .lines()
            .find(|line| line.contains("attrValues"))
            .unwrap();
        assert!(line.len() <= 100, "{line}");
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
