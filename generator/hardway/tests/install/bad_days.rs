//! Bad days on a real medium and a real machine: HARDWAY_ISO names the medium.
//! Each takes about a minute without KVM.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, OnceLock};

use assert_cmd::cargo::CommandCargoExt;
use common::report::render;
use hardway::deploy::Medium;
use hardway::deploy::install::base::Recipe;
use hardway::deploy::install::install;
use hardway::runtime;
use model::topology::{self, Machine, Node};
use qemu::disk::{self, Content};
use qemu::{Host, HostOptions, argv};

use crate::support::{Cluster, Script, alive, named_by_a_process, signal};

fn iso() -> PathBuf {
    let iso = std::env::var_os("HARDWAY_ISO");
    PathBuf::from(iso.expect("HARDWAY_ISO names a live medium (see rehearsal/build-medium)"))
}

fn host(cluster: &Cluster, medium: &Medium) -> Host {
    let options = HostOptions {
        qemu: None,
        arch: Some(medium.arch),
        kernel: Some(medium.kernel.clone()),
    };
    Host::detect(&cluster.paths, &options).unwrap()
}

/// The base of these tests' clusters, made by the first that needs it: they differ in
/// nothing that is in it.
fn with_base(cluster: Cluster) -> Cluster {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    let made = FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        make_base(&cluster, &cluster.sigma()).unwrap();
        link_files(&cluster.paths.bases(), folder.path());
        folder
    });
    fs::create_dir_all(cluster.paths.bases()).unwrap();
    link_files(made.path(), &cluster.paths.bases());
    cluster
}

fn link_files(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let (file, name) = entry.map(|one| (one.path(), one.file_name())).unwrap();
        if !to.join(&name).exists() {
            fs::hard_link(file, to.join(name)).unwrap();
        }
    }
}

fn make_base(cluster: &Cluster, node: &Node) -> anyhow::Result<()> {
    let medium = Medium::open(&iso()).unwrap();
    let host = host(cluster, &medium);
    let (paths, guest) = (&cluster.paths, node.guest().unwrap());
    let recipe = Recipe::new(&host, &cluster.plan, &medium, guest).unwrap();
    let stop = AtomicBool::new(false);
    recipe
        .make(&host, paths, &cluster.topology, &medium, &|_| {}, &stop)
        .map(drop)
}

/// Installs `node` on the base that is there; the last stage and what a person reads at
/// the end.
fn attempt(cluster: &Cluster, node: &Node) -> (String, Result<(), String>) {
    let medium = Medium::open(&iso()).unwrap();
    let host = host(cluster, &medium);
    let last = Mutex::new(String::new());
    let guest = node.guest().unwrap();
    let recipe = Recipe::new(&host, &cluster.plan, &medium, guest).unwrap();
    let result = install(
        &host,
        &cluster.paths,
        &cluster.topology,
        &cluster.plan,
        node,
        &medium,
        &recipe.find(&cluster.paths).unwrap().unwrap(),
        &|stage| stage.clone_into(&mut last.lock().unwrap()),
        &AtomicBool::new(false),
    );
    let files = cluster.paths.node(&node.name);
    assert_eq!(result.is_ok(), files.installed().exists());
    let stage = last.into_inner().unwrap();
    (stage, result.map_err(|error| render(&error)))
}

#[test]
#[ignore = "needs a live medium in HARDWAY_ISO"]
fn the_guests_disk_is_full() {
    let cluster = Cluster::new();
    let mut node = cluster.sigma();
    if let Machine::Guest(guest) = &mut node.machine {
        guest.disk = 1;
    }
    let text = render(&make_base(&cluster, &node).unwrap_err());
    assert!(
        text.contains("stage install: ") && text.contains("no space left on device"),
        "{text}"
    );
    assert!(
        text.ends_with("hint: give the disk more room: DISK_SIZE (GiB) in cluster.env\n"),
        "{text}"
    );
}

#[test]
#[ignore = "needs a live medium in HARDWAY_ISO"]
fn a_users_module_holds_a_key() {
    let cluster = with_base(Cluster::new());
    let mut node = cluster.sigma();
    let module = cluster.folder.path().join("leak.nix");
    fs::write(
        &module,
        format!("/*\n{}\n*/\n{{ }}\n", cluster.key_of_sigma()),
    )
    .unwrap();
    node.modules.push(module);
    let (stage, result) = attempt(&cluster, &node);
    let text = result.unwrap_err();
    assert_eq!(stage, "keys", "{text}");
    assert!(
        text.contains("a private key of this node lies where others can read it")
            && text.contains("a private key is in /mnt/etc/hardway/extra/sigma/0-leak.nix"),
        "{text}"
    );
}

/// Nix' pure evaluation refuses to; the rehearsal's is not pure.
#[test]
#[ignore = "needs a live medium in HARDWAY_ISO"]
fn a_users_module_reads_a_key() {
    let cluster = with_base(Cluster::new());
    let mut node = cluster.sigma();
    let module = cluster.folder.path().join("read.nix");
    fs::write(
        &module,
        "{ ... }:\n{\n  environment.etc.\"leak.pem\".text =\n    \
         builtins.readFile \"/mnt/var/lib/hardway/pki/kubelet-serving-sigma-key.pem\";\n}\n",
    )
    .unwrap();
    node.modules.push(module);
    let (stage, result) = attempt(&cluster, &node);
    let text = result.unwrap_err();
    assert_eq!(stage, "secrets", "{text}");
    assert!(
        text.contains("a private key of this node lies where others can read it")
            && text.contains("a private key is in /mnt/etc/leak.pem"),
        "{text}"
    );
}

#[test]
#[ignore = "needs a live medium in HARDWAY_ISO"]
fn interrupted_while_installing_then_installed() {
    let cluster = with_base(Cluster::new());
    let mut child = Command::cargo_bin("hardway")
        .unwrap()
        .arg("--dir")
        .arg(cluster.folder.path())
        .args(["install", "sigma", "--iso"])
        .arg(iso())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    // A stage is told when it ends: after the keys comes nixos-install.
    assert!(said.any(|line| line.unwrap().contains(" keys ")));
    signal("INT", child.id());
    let rest: Vec<String> = said.map(Result::unwrap).collect();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest:?}");
    let disk = cluster.paths.node(&cluster.sigma().name).disk();
    assert!(!named_by_a_process(&disk), "the machine outlives hardway");
    assert!(
        !cluster
            .paths
            .node(&cluster.sigma().name)
            .installed()
            .exists()
    );

    let (stage, result) = attempt(&cluster, &cluster.sigma());
    assert_eq!(result, Ok(()));
    assert_eq!(stage, "poweroff");
    // Nothing of the keys was echoed.
    let log = fs::read(cluster.paths.node(&cluster.sigma().name).install_log()).unwrap();
    let log = String::from_utf8_lossy(&log);
    for line in cluster.key_of_sigma().lines() {
        assert!(!log.contains(line));
    }
}

#[test]
#[ignore = "needs a live medium in HARDWAY_ISO"]
fn what_arrives_is_not_what_was_sent() {
    let cluster = Cluster::new();
    let node = cluster.sigma();
    let medium = Medium::open(&iso()).unwrap();
    let host = host(&cluster, &medium);
    let (paths, guest) = (&cluster.paths, node.guest().unwrap());
    let (files, empty) = (paths.base_in_making(), Content::Empty(guest.disk));
    disk::create(&host.qemu, host.arch, &host.firmware, &files, empty).unwrap();
    let words = argv::install(
        &host,
        &files,
        &runtime::base(&cluster.topology, guest),
        &medium.live(),
    )
    .unwrap();
    let words: Vec<&str> = words.iter().map(|word| word.to_str().unwrap()).collect();
    // The test's script expects the SHA-256 of something else.
    let script = Script::start_for_base(&host.patience().to_string(), &words);
    let qemu = script.qemu();
    let (ended, _) = script.end();
    assert_eq!(ended.code, Some(32), "{}", ended.said);
    assert!(
        ended.said.starts_with(
            "stage flake: the flake at /mnt/etc/hardway: \
             the SHA-256 of what arrived is not the one that was sent\n"
        ),
        "{}",
        ended.said
    );
    assert!(!alive(qemu), "QEMU outlives the script");
}

#[test]
#[ignore = "needs a live medium in HARDWAY_ISO"]
fn the_hosts_disk_is_full() {
    // A file system of the test's own, in a mount namespace that ends with it: there is
    // room when the installation begins, and then someone else takes all but 100 MiB, less
    // than any node needs.
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("cluster.json"), topology::default_json()).unwrap();
    let install = r#"
        mount -t tmpfs -o size=6G none "$1/small" && cd "$1/small" && cp ../cluster.json . || exit 99
        {
          until [ -e .hardway/base/unfinished/vars.qcow2 ]; do sleep 0.2; done
          free=$(df --output=avail -B1M . | tail -n 1)
          fallocate -l "$((free - 100))M" other
        } &
        "$2" --dir . install sigma --iso "$3"
        code=$?
        ls -R .hardway/base .hardway/nodes
        exit $code"#;
    fs::create_dir(folder.path().join("small")).unwrap();
    let output = Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c", install, "sh"])
        .arg(folder.path())
        .arg(assert_cmd::cargo::cargo_bin("hardway"))
        .arg(iso())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("stage install: ") && said.contains("hint: the host's disk is full"),
        "{said}"
    );
    let left = String::from_utf8_lossy(&output.stdout);
    assert!(
        left.contains("disk.qcow2") && !left.contains(".json"),
        "{left}"
    );
}
