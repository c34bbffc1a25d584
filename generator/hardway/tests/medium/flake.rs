//! `--iso flake`, by its command line: no Nix with a network is at hand.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support::{Ended, Place};

/// A `nix` that notes its words and says where it built, or fails.
fn stand_in(folder: &Path, script: &str) {
    let bin = folder.join("bin");
    fs::create_dir(&bin).unwrap();
    let nix = bin.join("nix");
    fs::write(&nix, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&nix, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A flake in a work tree: outside of one no key is written.
fn flake(folder: &Path) {
    fs::write(folder.join("flake.nix"), "{ }").unwrap();
    fs::write(folder.join(".gitignore"), ".hardway/\n").unwrap();
    fs::create_dir(folder.join(".git")).unwrap();
}

/// `hardway install sigma --iso flake` with only the stand-in on the PATH.
fn install(place: &Place) -> Ended {
    let output = place
        .command(&["install", "sigma", "--arch", "aarch64", "--iso", "flake"])
        .env("PATH", place.folder.path().join("bin"))
        .output()
        .unwrap();
    place.ended(&output, 0)
}

#[test]
fn nix_builds_the_installer_of_the_architecture() {
    let place = Place::new();
    let folder = place.folder.path();
    flake(folder);
    let built = folder.join("built");
    fs::create_dir_all(built.join("iso")).unwrap();
    fs::write(built.join("iso/nixos.iso"), "no image\n".repeat(10_000)).unwrap();
    stand_in(
        folder,
        &format!(
            "printf '%s\\n' \"$@\" >{}\necho {}",
            folder.join("words").display(),
            built.display()
        ),
    );
    let ended = install(&place);
    assert_eq!(ended.code, Some(1));
    // The built file is what is opened; that it is no medium is another test's matter.
    assert!(
        ended
            .stderr
            .starts_with("error: [cluster]/built/iso/nixos.iso is no"),
        "{}",
        ended.stderr
    );
    let words = fs::read_to_string(folder.join("words")).unwrap();
    insta::assert_snapshot!(words.replace(&folder.display().to_string(), "[cluster]"));
}

#[test]
fn what_stands_in_the_way() {
    let place = Place::new();
    let folder = place.folder.path();
    let mut said = Vec::new();
    said.push(install(&place).stderr);
    flake(folder);
    said.push(install(&place).stderr);
    stand_in(folder, "echo 'error: no such attribute' >&2; exit 1");
    said.push(install(&place).stderr);
    insta::assert_snapshot!(said.join("\n"));
}
