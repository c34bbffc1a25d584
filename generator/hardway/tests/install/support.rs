//! A cluster in a temporary folder; install.exp and what it starts.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use hardway::deploy::Medium;
use hardway::deploy::install::base::Recipe;
use qemu::Host;

use common::state::Paths;
use model::plan::{Plan, plan};
use model::topology::{self, Node, Sources, Topology};
use serde_json::{Value, json};

pub(crate) struct Cluster {
    pub(crate) topology: Topology,
    pub(crate) plan: Plan,
    pub(crate) paths: Paths,
    pub(crate) folder: tempfile::TempDir,
}

impl Cluster {
    /// The default cluster with the bridge plugin, its keys made.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut json: Value = serde_json::from_str(topology::default_json()).unwrap();
        json["cni"] = json!("bridge");
        fs::write(folder.path().join("cluster.json"), json.to_string()).unwrap();
        let topology = topology::parse(&Sources {
            dir: folder.path(),
            json: &json.to_string(),
            json_name: "cluster.json",
            env: "",
            env_name: "cluster.env",
            environment: &BTreeMap::new(),
        })
        .unwrap_or_else(|problems| panic!("{problems}"));
        let cluster = Self {
            plan: plan(&topology),
            topology,
            paths: Paths::new(folder.path()),
            folder,
        };
        let asked = pki::Asked::parse(&cluster.plan, &pki::requests(&cluster.plan)).unwrap();
        pki::ensure(&cluster.plan, &asked, &cluster.paths).unwrap();
        cluster
    }

    /// `hardway` on this cluster, however little memory this host has free.
    pub(crate) fn command(&self) -> assert_cmd::Command {
        let mut command = assert_cmd::Command::cargo_bin("hardway").unwrap();
        command
            .arg("--dir")
            .arg(self.folder.path())
            .env("HARDWAY_MEMORY", "100000");
        command
    }

    pub(crate) fn sigma(&self) -> Node {
        self.topology.node("sigma").unwrap().clone()
    }

    /// The base that sigma's disk is an overlay on.
    pub(crate) fn base_name(&self, host: &Host, medium: &Medium) -> String {
        let sigma = self.sigma();
        let recipe = Recipe::new(host, &self.plan, medium, sigma.guest().unwrap());
        recipe.unwrap().name().to_owned()
    }

    /// What a private key of sigma's holds between its first and last line.
    pub(crate) fn key_of_sigma(&self) -> String {
        let plan = self
            .plan
            .nodes
            .iter()
            .find(|node| node.name.as_str() == "sigma");
        let files = pki::node_files(plan.unwrap(), &self.paths).unwrap();
        let (_, key) = files
            .iter()
            .find(|(name, _)| name.ends_with("-key.pem"))
            .unwrap();
        let text = String::from_utf8(key.to_vec()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        lines[1..lines.len() - 1].join("\n")
    }
}

/// install.exp with arguments of the test's own, in a temporary folder.
pub(crate) struct Script {
    child: Child,
    stdin: Option<ChildStdin>,
    pub(crate) folder: tempfile::TempDir,
}

/// How it ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) said: String,
}

pub(crate) const ZEROS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

impl Script {
    /// Starts it for a node, with a QEMU that writes its process id into the folder.
    pub(crate) fn start(scale: &str, qemu: &[&str]) -> Self {
        Self::start_with(scale, qemu, "aGk=\n\naGk=\n\n")
    }

    pub(crate) fn start_with(scale: &str, qemu: &[&str], input: &str) -> Self {
        let node = ["--node", "sigma", "--keys-sha256", ZEROS];
        Self::start_for(&node, "none", scale, qemu, input)
    }

    /// Starts it for the base.
    pub(crate) fn start_for_base(scale: &str, qemu: &[&str]) -> Self {
        Self::start_for(&[], "none", scale, qemu, "aGk=\n\n")
    }

    /// Starts it for the base, with packages that come over the network.
    pub(crate) fn start_online(scale: &str, qemu: &[&str]) -> Self {
        let cache = "https://cache.nixos.org";
        Self::start_for(&[], cache, scale, qemu, "aGk=\n\n")
    }

    fn start_for(
        node: &[&str],
        substituter: &str,
        scale: &str,
        qemu: &[&str],
        input: &str,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut words: Vec<OsString> = qemu.iter().map(OsString::from).collect();
        words.push("-pidfile".into());
        words.push(folder.path().join("qemu.pid").into());
        let mut child = Command::new("expect")
            .args(["-n", "-N"])
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/install.exp"))
            .args(node)
            .args([
                "--base",
                "b",
                "--scale",
                scale,
                "--substituter",
                substituter,
            ])
            .args(["--flake-sha256", ZEROS, "--log"])
            .arg(folder.path().join("install.log"))
            .arg("--")
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let _ = stdin.write_all(input.as_bytes());
        Self {
            child,
            stdin: Some(stdin),
            folder,
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// QEMU's process id, once it has written it.
    pub(crate) fn qemu(&self) -> u32 {
        let file = self.folder.path().join("qemu.pid");
        until("QEMU writes its process id", || {
            fs::read_to_string(&file).ok()?.trim().parse().ok()
        })
    }

    pub(crate) fn close_input(&mut self) {
        self.stdin = None;
    }

    pub(crate) fn end(mut self) -> (Ended, tempfile::TempDir) {
        let code = self.child.wait().unwrap().code();
        let mut said = String::new();
        let mut pipe = self.child.stderr.take().unwrap();
        pipe.read_to_string(&mut said).unwrap();
        (Ended { code, said }, self.folder)
    }
}

/// Looks until there is something, for at most half a minute.
pub(crate) fn until<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "waited 30 s until {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Whether a process lives; a zombie does not.
pub(crate) fn alive(pid: u32) -> bool {
    let state = ps(&["-o", "stat=", "-p", &pid.to_string()]);
    !state.trim().is_empty() && !state.trim().starts_with('Z')
}

/// Whether a running process has `file` in its command line.
pub(crate) fn named_by_a_process(file: &Path) -> bool {
    let all = ps(&["-A", "-ww", "-o", "args="]);
    assert!(!all.is_empty(), "ps lists no process");
    all.contains(file.to_str().unwrap())
}

/// What ps says; it ends with 1 where no process is as asked.
fn ps(arguments: &[&str]) -> String {
    let output = Command::new("ps").args(arguments).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn signal(name: &str, pid: u32) {
    let sent = Command::new("kill")
        .args([format!("-{name}"), pid.to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
}

/// A volume with the shape of NixOS' medium and nothing to run in it.
pub(crate) fn small_medium(folder: &Path, edit: impl FnOnce(&Path)) -> PathBuf {
    let tree = folder.join("tree");
    for path in [
        "EFI/BOOT",
        "boot/nix/store/abc-linux",
        "boot/nix/store/def-initrd",
    ] {
        fs::create_dir_all(tree.join(path)).unwrap();
    }
    fs::write(tree.join("EFI/BOOT/BOOTX64.EFI"), "loader").unwrap();
    fs::write(tree.join("boot/nix/store/abc-linux/bzImage"), "kernel").unwrap();
    fs::write(tree.join("boot/nix/store/def-initrd/initrd"), "initrd").unwrap();
    fs::write(
        tree.join("EFI/BOOT/grub.cfg"),
        "menuentry 'NixOS' {\n  linux /boot//nix/store/abc-linux/bzImage ${isoboot} init=/nix/store/x/init \
         root=fstab\n  initrd /boot//nix/store/def-initrd/initrd\n}\n",
    )
    .unwrap();
    edit(&tree);
    let iso = folder.join("medium.iso");
    let made = Command::new("xorriso")
        .args([
            "-as",
            "mkisofs",
            "-quiet",
            "-r",
            "-V",
            "nixos-minimal-26.05-x86_64",
            "-o",
        ])
        .args([&iso, &tree])
        .status()
        .unwrap();
    assert!(made.success());
    iso
}
