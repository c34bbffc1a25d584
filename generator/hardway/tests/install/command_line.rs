//! `hardway install` refusing what it can't do, before any machine starts.

use std::fs;

use hardway::deploy::Medium;
use hardway::deploy::install;
use qemu::{Arch, Host, HostOptions};
use serde_json::{Value, json};

use crate::support::{Cluster, small_medium};

#[test]
fn a_node_that_is_not_in_the_cluster() {
    let cluster = Cluster::new();
    let assert = cluster
        .command()
        .args(["install", "omega", "--iso", "/nonexistent.iso"])
        .assert()
        .code(1);
    insta::assert_snapshot!(told(&assert.get_output().stderr));
}

#[test]
fn a_medium_of_another_architecture() {
    let folder = tempfile::tempdir().unwrap();
    let iso = small_medium(folder.path(), |tree| {
        fs::rename(
            tree.join("EFI/BOOT/BOOTX64.EFI"),
            tree.join("EFI/BOOT/BOOTAA64.EFI"),
        )
        .unwrap();
    });
    let cluster = Cluster::new();
    let assert = cluster
        .command()
        .args(["install", "sigma", "--arch", "x86_64", "--iso"])
        .arg(&iso)
        .env("XDG_CACHE_HOME", folder.path())
        .assert()
        .code(1);
    let text = told(&assert.get_output().stderr);
    insta::assert_snapshot!(text.replace(&iso.display().to_string(), "[iso]"));
}

/// The command lines are those that would run; nothing runs, and nothing is written.
#[test]
fn a_dry_run_shows_the_machines_that_would_install() {
    let folder = tempfile::tempdir().unwrap();
    let iso = small_medium(folder.path(), |_| {});
    let cluster = Cluster::new();
    let (paths, topology) = (&cluster.paths, &cluster.topology);
    let hardway = |arguments: &[&str], code: i32| {
        let assert = cluster
            .command()
            .args(arguments)
            .env("XDG_CACHE_HOME", folder.path())
            .env_remove("HARDWAY_ISO")
            .assert()
            .code(code);
        let output = assert.get_output();
        let text = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes);
            text.replace(&cluster.folder.path().display().to_string(), "[cluster]")
        };
        (text(&output.stdout), text(&output.stderr))
    };
    let iso_word = iso.to_str().unwrap();
    let dry_run = [
        "install",
        "sigma",
        "--arch",
        "x86_64",
        "--dry-run",
        "--json",
        "--iso",
        iso_word,
    ];
    let (told, _) = hardway(&dry_run, 0);
    let told = told.replace("[cluster]", cluster.folder.path().to_str().unwrap());
    let told: Value = serde_json::from_str(&told).unwrap();
    let medium = Medium::open(&iso).unwrap();
    let options = HostOptions {
        arch: Some(Arch::X86_64),
        kernel: Some(medium.kernel.clone()),
        ..HostOptions::default()
    };
    let host = Host::found(paths, &options).unwrap();
    let (base, node) = (cluster.base_name(&host, &medium), cluster.sigma());
    let argv = |step: usize| -> Vec<String> {
        let words = told["would"][step]["argv"].as_array().unwrap().iter();
        words
            .map(|word| word.as_str().unwrap().to_owned())
            .collect()
    };
    let whats: Vec<&str> = told["would"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["what"].as_str().unwrap())
        .collect();
    assert_eq!(
        whats[1..],
        [
            &format!("create the disk of the base {base}, which the nodes share") as &str,
            "install the base: scripts/install.exp types it on this machine's console",
            "create sigma's disk, an overlay on the base, and its UEFI variables",
            "install sigma: scripts/install.exp types it on this machine's console",
        ]
    );
    assert_eq!(told["lost"], json!([]));
    let disk = paths.node(&node.name).disk();
    let overlay = format!("create -q -f qcow2 -F qcow2 -b ../../base/{base}.qcow2");
    assert_eq!(
        argv(3)[1..],
        [
            &overlay.split(' ').map(str::to_owned).collect::<Vec<_>>()[..],
            &[disk.display().to_string()]
        ]
        .concat()
    );
    // The medium's kernel is in the cache of the program that was run.
    let ours = |argv: Vec<String>| {
        argv.into_iter()
            .filter(|word| !word.contains("/medium/"))
            .collect::<Vec<_>>()
    };
    let machine = install::machine(&host, paths, topology, &node, &medium).unwrap();
    let machine = machine
        .iter()
        .map(|word| word.to_str().unwrap().to_owned())
        .collect();
    assert_eq!(ours(argv(4)), ours(machine));
    assert!(argv(4).contains(&"-kernel".to_owned()));
    assert!(!paths.machine_json().exists() && !paths.lock().exists() && !paths.hosts().exists());
    assert!(!paths.bases().exists() && !paths.node(&node.name).dir.exists());

    // What is there already is lost.
    std::fs::create_dir_all(paths.node(&node.name).dir).unwrap();
    std::fs::write(paths.node(&node.name).installed(), "{}").unwrap();
    let (_, told) = hardway(&["install", "sigma", "--iso", iso_word], 2);
    assert_eq!(
        told,
        "\
Lost for good with `hardway install sigma`:
  what sigma's disk holds
error: nobody is there to confirm it
hint: say `hardway install sigma --yes`; --dry-run says what would be done
"
    );
}

/// What comes over the network is known once it is here.
#[test]
fn a_dry_run_downloads_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = Cluster::new();
    let assert = cluster
        .command()
        .args(["install", "alpha", "gamma", "--arch", "x86_64", "--dry-run"])
        .envs([("WORKER_MEM", "2048"), ("CONTROL_PLANE_MEM", "2048")])
        .env("XDG_CACHE_HOME", folder.path())
        .env("https_proxy", "http://127.0.0.1:1")
        .env_remove("HARDWAY_ISO")
        .assert()
        .code(0);
    let text = told(&assert.get_output().stdout);
    let text = text.replace(&cluster.folder.path().display().to_string(), "[cluster]");
    let (first, rest) = text.split_once('\n').unwrap();
    assert!(
        first.starts_with("would bring hosts/ (")
            && first.ends_with(" and the certificates up to date"),
        "{first}"
    );
    assert_eq!(
        rest,
        "\
would download the newest medium of https://channels.nixos.org/nixos-26.05, and pin it in \
[cluster]/medium.lock.json
would install alpha from it: what runs then is known once it is here
would install gamma from it: what runs then is known once it is here
"
    );
}

/// What was told, but for the word about an accelerator that is there and does not
/// work: it depends on the host.
fn told(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let lines = text
        .lines()
        .filter(|line| !line.contains(" is there but does not run a guest "));
    lines.flat_map(|line| [line, "\n"]).collect()
}
