//! `hardway doctor` with programs that are there and programs that are not.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::Cluster;

/// A folder with links to these programs of this host, and with these stand-ins.
fn programs(folder: &Path, links: &[&str], stand_ins: &[&str]) -> PathBuf {
    let bin = folder.join("bin");
    fs::create_dir(&bin).unwrap();
    let path = std::env::var_os("PATH").unwrap();
    for name in links {
        let found = std::env::split_paths(&path)
            .map(|folder| folder.join(name))
            .find(|file| file.is_file())
            .unwrap();
        symlink(fs::canonicalize(found).unwrap(), bin.join(name)).unwrap();
    }
    for name in stand_ins {
        fs::write(bin.join(name), "#!/bin/sh\n").unwrap();
        fs::set_permissions(bin.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    bin
}

/// Each check's name and verdict, but for what depends on this host.
fn verdicts(checks: &Value) -> Vec<(&str, &str)> {
    checks
        .as_array()
        .unwrap()
        .iter()
        .map(|check| {
            (
                check["name"].as_str().unwrap(),
                check["verdict"].as_str().unwrap(),
            )
        })
        .filter(|(name, _)| !["accelerator", "memory", "disk"].contains(name))
        .collect()
}

fn find<'a>(checks: &'a Value, name: &str) -> &'a Value {
    let mut all = checks.as_array().unwrap().iter();
    all.find(|check| check["name"] == name).unwrap()
}

#[test]
fn a_host_with_all_programs() {
    let folder = tempfile::tempdir().unwrap();
    let links = [
        "qemu-system-x86_64",
        "qemu-system-aarch64",
        "qemu-img",
        "expect",
        "xorriso",
    ];
    let bin = programs(folder.path(), &links, &["kubectl", "nix", "ssh"]);
    let mut cluster = Cluster::new(|_| (404, json!({})));
    // It holds the API server's port.
    cluster.silent_machine("alpha");
    let run = |arguments: &[&str]| {
        let output = cluster
            .command(arguments)
            .env("PATH", &bin)
            .output()
            .unwrap();
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
        let stdout = String::from_utf8(output.stdout).unwrap();
        (output.status.code(), stdout)
    };
    let (code, stdout) = run(&["doctor", "--json"]);
    let checks: Value = serde_json::from_str(&stdout).unwrap();
    let all = [
        "QEMU", "qemu-img", "firmware", "expect", "xorriso", "kubectl", "ssh", "nix", "ports",
        "clock",
    ];
    assert_eq!(
        verdicts(&checks),
        all.map(|name| (name, "ok")),
        "{checks:#}"
    );
    let fails = checks
        .as_array()
        .unwrap()
        .iter()
        .any(|check| check["verdict"] == "failure");
    assert_eq!(code, Some(i32::from(fails)));
    let (_, text) = run(&["doctor"]);
    let line = format!("\nok       nix          {}\n", bin.join("nix").display());
    assert!(text.contains(&line), "{text}");
}

#[test]
fn what_is_missing_comes_with_the_command_that_gets_it() {
    let folder = tempfile::tempdir().unwrap();
    let bin = programs(folder.path(), &[], &[]);
    let cluster = Cluster::new(|_| (404, json!({})));
    let output = cluster
        .command(&["doctor", "--json"])
        .env("PATH", bin)
        // Not the host's, which may be there without a QEMU.
        .env("HARDWAY_FIRMWARE", folder.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let checks: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        verdicts(&checks),
        [
            ("QEMU", "failure"),
            ("qemu-img", "failure"),
            ("firmware", "failure"),
            ("expect", "failure"),
            ("xorriso", "failure"),
            ("kubectl", "warning"),
            ("ssh", "warning"),
            ("nix", "warning"),
            ("ports", "failure"),
            ("clock", "ok"),
        ],
        "{checks:#}"
    );
    let expect = find(&checks, "expect");
    assert_eq!(expect["found"], "not installed: it drives an installation");
    // By the system that the tests run on.
    let commands = [
        "apt install expect",
        "sudo apt install expect",
        "nix shell nixpkgs#expect",
        "brew install expect",
        "install expect with your system's packages",
    ];
    assert!(
        commands.contains(&expect["remedy"].as_str().unwrap()),
        "{expect}"
    );
    let ports = find(&checks, "ports");
    let start = format!(
        "alpha needs port {} of 127.0.0.1: it is taken",
        cluster.port
    );
    assert!(
        ports["found"].as_str().unwrap().starts_with(&start),
        "{ports}"
    );
    assert_eq!(
        ports["remedy"],
        "stop that program, or choose another port: API_PORT in cluster.env"
    );
}
