//! `hardway export`: the worked example of docs/real-machines.md, as its reader types it.

#![allow(clippy::unwrap_used, clippy::panic)] // clippy.toml covers test functions, not their helpers

use std::fmt::Write;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use walkdir::WalkDir;

const DOCUMENT: &str = include_str!("../../../docs/real-machines.md");

/// The document's first code block of a language.
fn block(language: &str) -> &'static str {
    let (_, rest) = DOCUMENT.split_once(&format!("```{language}\n")).unwrap();
    rest.split_once("```").unwrap().0
}

/// The example's folder.
fn example() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("cluster.json"), block("json")).unwrap();
    fs::write(folder.path().join("hardware.nix"), block("nix")).unwrap();
    folder
}

/// `hardway` in that folder: exit code, and what it printed with the folder named by a word.
fn hardway(folder: &Path, arguments: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_hardway"))
        .arg("--dir")
        .arg(folder)
        .args(arguments)
        .env_remove("HARDWAY_ISO")
        .env("https_proxy", "http://127.0.0.1:1")
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.code().unwrap(),
        plain(folder, &String::from_utf8(text).unwrap()),
    )
}

fn plain(folder: &Path, text: &str) -> String {
    text.replace(folder.to_str().unwrap(), "[cluster]")
}

/// Every folder and file below `root` with its mode.
fn tree(root: &Path) -> String {
    let mut text = String::new();
    for entry in WalkDir::new(root).sort_by_file_name() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        let path = entry
            .path()
            .strip_prefix(root)
            .unwrap()
            .display()
            .to_string();
        if path.starts_with("modules/") {
            continue;
        }
        writeln!(text, "{mode:o} {path}").unwrap();
    }
    text
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn nixos_anywhere_gets_a_flake_a_script_and_the_keys_apart() {
    let folder = example();
    let (code, said) = hardway(folder.path(), &["export", "nixos-anywhere"]);
    assert_eq!(code, 0, "{said}");
    insta::assert_snapshot!(said);
    let out = folder.path().join("export/nixos-anywhere");
    insta::assert_snapshot!(tree(&out));
    insta::assert_snapshot!(read(&out.join("flake.nix")));
    insta::assert_snapshot!(read(&out.join("install")));
    insta::assert_snapshot!(tree(&folder.path().join(".hardway/extra-files")));
    assert_eq!(read(&out.join("extra/alpha/0-hardware.nix")), block("nix"));
    for file in ["hosts/peers.nix", "hosts/sigma/default.nix"] {
        assert_eq!(read(&out.join(file)), read(&folder.path().join(file)));
    }
}

#[test]
fn colmena_gets_a_hive_that_reads_the_keys_where_they_are() {
    let folder = example();
    let (code, said) = hardway(folder.path(), &["export", "colmena"]);
    assert_eq!(code, 0, "{said}");
    insta::assert_snapshot!(said);
    let flake = read(&folder.path().join("export/colmena/flake.nix"));
    insta::assert_snapshot!(plain(folder.path(), &flake));
    // Each path that it names is a file of the state folder.
    let mut keys = 0;
    for line in flake.lines().filter(|line| line.contains("keyFile = ")) {
        let path = line.split('"').nth(1).unwrap();
        assert!(Path::new(path).is_file(), "{path}");
        assert!(path.contains("/.hardway/pki/"), "{path}");
        keys += 1;
    }
    assert!(keys > 20, "{keys}");
    // What a program reads of the same.
    let (code, said) = hardway(folder.path(), &["export", "colmena", "--json"]);
    let value: serde_json::Value = serde_json::from_str(&said).unwrap();
    let next = "cd [cluster]/export/colmena && colmena apply";
    assert_eq!(
        (code, value),
        (
            0,
            serde_json::json!({
                "folder": "[cluster]/export/colmena",
                "next": [next, "hardway bootstrap"],
            })
        )
    );
}

#[test]
fn no_export_holds_a_private_key() {
    let folder = example();
    for tool in ["nixos-anywhere", "colmena"] {
        assert_eq!(hardway(folder.path(), &["export", tool]).0, 0);
    }
    let holds_key = |root: &Path| {
        WalkDir::new(root).into_iter().any(|entry| {
            let entry = entry.unwrap();
            entry.file_type().is_file()
                && String::from_utf8_lossy(&fs::read(entry.path()).unwrap())
                    .contains("PRIVATE KEY-----")
        })
    };
    assert!(!holds_key(&folder.path().join("export")));
    // What is looked for is what keys have.
    assert!(holds_key(&folder.path().join(".hardway")));
}

#[test]
fn an_export_is_the_same_again_and_replaces_only_an_export() {
    let folder = example();
    let out = folder.path().join("export/nixos-anywhere");
    assert_eq!(hardway(folder.path(), &["export", "nixos-anywhere"]).0, 0);
    let before = tree(&out);
    // What a user's `nix flake lock` has added stays; what is no longer exported goes.
    fs::write(out.join("flake.lock"), "{ \"added\": true }").unwrap();
    fs::write(out.join("extra/alpha/9-old.nix"), "{ }").unwrap();
    assert_eq!(hardway(folder.path(), &["export", "nixos-anywhere"]).0, 0);
    assert_eq!(tree(&out), before);
    assert_eq!(read(&out.join("flake.lock")), "{ \"added\": true }");
    assert_eq!(
        fs::read_dir(folder.path().join("export")).unwrap().count(),
        1
    );

    let own = folder.path().join("own");
    fs::create_dir(&own).unwrap();
    fs::write(own.join("flake.nix"), "{ }").unwrap();
    let (code, said) = hardway(
        folder.path(),
        &["export", "colmena", "--out", own.to_str().unwrap()],
    );
    assert_eq!(code, 1);
    insta::assert_snapshot!(said);
    assert_eq!(read(&own.join("flake.nix")), "{ }");
}

#[test]
fn verbs_for_virtual_machines_say_which_verb_it_is() {
    let folder = example();
    let mut said = String::new();
    for arguments in [["up"].as_slice(), &["install", "sigma"], &["verify"]] {
        let (code, text) = hardway(folder.path(), arguments);
        assert_eq!(code, 1);
        said += &text;
    }
    insta::assert_snapshot!(said);
}

#[test]
fn what_an_export_and_a_bootstrap_refuse() {
    let folder = example();
    let json = folder.path().join("cluster.json");
    let mut said = String::new();
    let mut refused = |arguments: &[&str]| {
        let (code, text) = hardway(folder.path(), arguments);
        assert_eq!(code, 1, "{text}");
        said += &text;
        said.push('\n');
    };
    fs::write(
        &json,
        block("json").replacen("\"modules\": [\"hardware.nix\"]", "\"modules\": []", 2),
    )
    .unwrap();
    refused(&["export", "nixos-anywhere"]);
    fs::write(&json, block("json").replace("\"alpha\"", "\"meta\"")).unwrap();
    refused(&["export", "colmena"]);
    fs::write(&json, model::topology::default_json()).unwrap();
    refused(&["export", "colmena"]);
    refused(&["bootstrap"]);
    insta::assert_snapshot!(said);
}
