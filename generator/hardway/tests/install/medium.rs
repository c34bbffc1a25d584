//! What is read out of a medium, and files that are not one.

use std::fs;

use crate::support::{Cluster, small_medium};

/// `hardway install sigma --iso …` in a fresh cluster with its own cache; stderr.
fn refusal(iso: &std::path::Path, path: Option<&str>) -> String {
    let cluster = Cluster::new();
    let mut command = cluster.command();
    command
        .args(["install", "sigma", "--iso"])
        .arg(iso)
        .env("XDG_CACHE_HOME", cluster.folder.path().join("cache"));
    if let Some(path) = path {
        command.env("PATH", path);
    }
    let output = command.assert().code(1).get_output().stderr.clone();
    assert!(
        !cluster
            .paths
            .node(&cluster.sigma().name)
            .installed()
            .exists()
    );
    String::from_utf8(output)
        .unwrap()
        .replace(&iso.display().to_string(), "[iso]")
}

#[test]
fn a_file_that_is_not_there() {
    let text = refusal(std::path::Path::new("/nonexistent.iso"), None);
    insta::assert_snapshot!(text);
}

#[test]
fn a_file_that_is_no_image() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("text.iso");
    fs::write(&file, "no image\n".repeat(10_000)).unwrap();
    insta::assert_snapshot!(refusal(&file, None));
}

#[test]
fn an_image_without_a_menu() {
    let folder = tempfile::tempdir().unwrap();
    let iso = small_medium(folder.path(), |tree| {
        fs::remove_file(tree.join("EFI/BOOT/grub.cfg")).unwrap();
    });
    insta::assert_snapshot!(refusal(&iso, None));
}

#[test]
fn an_image_whose_menu_names_a_file_that_it_lacks() {
    let folder = tempfile::tempdir().unwrap();
    let iso = small_medium(folder.path(), |tree| {
        fs::remove_file(tree.join("boot/nix/store/def-initrd/initrd")).unwrap();
    });
    let text = refusal(&iso, None);
    assert!(
        text.starts_with("error: [iso] is not a NixOS live medium\ncaused by: ")
            && text.contains("/boot/nix/store/def-initrd/initrd"),
        "{text}"
    );
}

#[test]
fn xorriso_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let iso = small_medium(folder.path(), |_| {});
    insta::assert_snapshot!(refusal(&iso, Some("/nonexistent")));
}

#[test]
fn a_medium_is_read_once() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let iso = small_medium(folder.path(), |tree| {
        fs::write(tree.join("hardway-self-contained"), "").unwrap();
    });
    let cluster = Cluster::new();
    // Both runs fail later, at a QEMU that is not there.
    for path in [std::env::var("PATH").unwrap(), "/nonexistent".into()] {
        let assert = cluster
            .command()
            .args(["install", "sigma", "--qemu", "/nonexistent/qemu", "--iso"])
            .arg(&iso)
            .env("XDG_CACHE_HOME", &cache)
            .env("PATH", path)
            .assert()
            .code(1);
        let text = String::from_utf8_lossy(&assert.get_output().stderr);
        assert!(
            text.contains("there is no QEMU at /nonexistent/qemu"),
            "{text}"
        );
    }
    let folder = fs::read_dir(cache.join("hardway/medium"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.is_dir())
        .unwrap();
    assert_eq!(fs::read_to_string(folder.join("kernel")).unwrap(), "kernel");
    assert_eq!(fs::read_to_string(folder.join("initrd")).unwrap(), "initrd");
    insta::assert_snapshot!(fs::read_to_string(folder.join("medium.json")).unwrap());
}
