//! What changes machines or disks, before it does: `--dry-run` says what would be done and
//! does none of it, and what would be lost wants a yes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::support::Cluster;

fn nobody(_: &str) -> (u16, Value) {
    (404, json!({ "message": "not found" }))
}

/// alpha and sigma, installed and off, with images as small as can be.
pub(crate) fn off() -> Cluster {
    let cluster = Cluster::new(nobody);
    for node in ["alpha", "sigma"] {
        cluster.installed(node);
        let files = cluster.files(node);
        let record = json!({
            "medium": "m", "mediumSha256": "", "flakeSha256": node, "keysSha256": "",
            "system": "x86_64-linux", "finished": "2026-11-20T08:00:00Z",
        });
        fs::write(files.installed(), record.to_string()).unwrap();
        for image in [files.disk(), files.firmware_variables()] {
            let made = Command::new("qemu-img")
                .args(["create", "-q", "-f", "qcow2"])
                .arg(image)
                .arg("1M")
                .status();
            assert!(made.unwrap().success());
        }
    }
    let code = cluster.paths.state().join("code.fd");
    fs::write(&code, "code").unwrap();
    let host = json!({
        "arch": "x86_64", "qemu": "/nowhere/qemu-system-x86_64", "version": "9.1.0",
        "machine": "pc-q35-9.1", "accelerator": "tcg", "passed_over": null,
        "firmware": { "code": code, "variables": code },
    });
    fs::write(cluster.paths.machine_json(), host.to_string()).unwrap();
    cluster
}

/// Every file of the cluster, with its bytes.
fn files(cluster: &Cluster) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![cluster.paths.dir.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => found.push((path.clone(), fs::read(path).unwrap())),
            }
        }
    }
    found.sort();
    found
}

/// Says `stdout`, and changes nothing.
fn only_says(cluster: &Cluster, arguments: &[&str], stdout: &str) {
    let before = files(cluster);
    let said = cluster.hardway(arguments);
    assert_eq!((said.code, said.stderr.as_str()), (0, ""), "{arguments:?}");
    assert_eq!(said.stdout, stdout, "{arguments:?}");
    assert!(files(cluster) == before, "{arguments:?} changed something");
}

/// Asks, finds nobody, and changes nothing.
fn only_asks(cluster: &Cluster, arguments: &[&str], stderr: &str) {
    let before = files(cluster);
    let said = cluster.hardway(arguments);
    assert_eq!((said.code, said.stdout.as_str()), (2, ""), "{arguments:?}");
    assert_eq!(said.stderr, stderr, "{arguments:?}");
    assert!(files(cluster) == before, "{arguments:?} changed something");
}

fn json_of(cluster: &Cluster, arguments: &[&str]) -> Value {
    let said = cluster.hardway(arguments);
    assert_eq!(said.code, 0, "{arguments:?}: {}", said.stderr);
    serde_json::from_str(&said.stdout).unwrap()
}

fn qemu_img() -> String {
    let path = std::env::var_os("PATH").unwrap();
    let mut folders = std::env::split_paths(&path);
    let found = folders.find_map(|folder| {
        let program = folder.join("qemu-img");
        program.is_file().then_some(program)
    });
    found.unwrap().to_str().unwrap().to_owned()
}

#[test]
fn a_snapshot_of_machines_that_are_off_from_save_to_delete() {
    let cluster = off();
    let (qemu_img, nodes) = (qemu_img(), "[cluster]/.hardway/nodes");
    let each = |what: [&str; 2], action: &str| -> String {
        let [before, between] = what;
        let mut text = String::new();
        for node in ["alpha", "sigma"] {
            for (image, file) in [("disk", "disk"), ("UEFI variables", "vars")] {
                text += &format!(
                    "would {before} {node}'s {image}{between}\n    \
                     {qemu_img} snapshot {action} hardway-monday {nodes}/{node}/{file}.qcow2\n"
                );
            }
        }
        text
    };
    let saves = each(["save", " as hardway-monday"], "-c");
    let (kept, record) = (
        "[cluster]/.hardway/snapshots/monday.pki",
        "[cluster]/.hardway/snapshots/monday.json",
    );
    only_says(
        &cluster,
        &["snapshot", "save", "monday", "--dry-run"],
        &format!(
            "{saves}would copy the keys, certificates and kubeconfig into {kept}\n\
             would write {record}\n"
        ),
    );
    let saved = json_of(&cluster, &["snapshot", "save", "monday", "--json"]);
    assert_eq!(saved["dryRun"], false);
    assert_eq!(saved["saved"]["kind"], "cold");
    assert_eq!(saved["pausedSeconds"], Value::Null);
    let taken = saved["saved"]["taken"].as_str().unwrap();

    let loads = each(["load hardway-monday into", ""], "-a");
    let since = format!(
        "what has happened on alpha and sigma since {taken} (`hardway snapshot save NAME` keeps it)"
    );
    only_says(
        &cluster,
        &["restore", "monday", "--dry-run"],
        &format!(
            "would keep what alpha and sigma are now as hardway~before-restore, until all of them \
             are back\n{loads}lost for good:\n  {since}\n"
        ),
    );
    only_asks(
        &cluster,
        &["restore", "monday", "--with-pki"],
        &format!(
            "\
Lost for good with `hardway restore monday --with-pki`:
  the keys, certificates and kubeconfig of now
  {since}
error: nobody is there to confirm it
hint: say `hardway restore monday --with-pki --yes`; --dry-run says what would be done
"
        ),
    );
    only_asks(
        &cluster,
        &["up", "--from", "monday"],
        &format!(
            "\
Lost for good with `hardway up --from monday`:
  {since}
error: nobody is there to confirm it
hint: say `hardway up --from monday --yes`; --dry-run says what would be done
"
        ),
    );
    let would = json_of(&cluster, &["up", "--from", "monday", "--dry-run", "--json"]);
    let last = would["would"].as_array().unwrap().last().unwrap();
    let then = json!({ "what": "go on as `hardway up` without --from does" });
    assert_eq!((last, &would["lost"]), (&then, &json!([since])));
    let restored = json_of(&cluster, &["restore", "monday", "--yes", "--json"]);
    assert_eq!(restored["restored"], "monday");
    assert_eq!(restored["kind"], "cold");

    let removes = each(["remove hardway-monday from", ""], "-d");
    only_says(
        &cluster,
        &["snapshot", "delete", "monday", "--dry-run"],
        &format!(
            "would remove {record}\nwould remove {kept}\n{removes}lost for good:\n  \
             the snapshot monday, taken {taken}\n"
        ),
    );
    only_asks(
        &cluster,
        &["snapshot", "delete", "monday"],
        &format!(
            "\
Lost for good with `hardway snapshot delete monday`:
  the snapshot monday, taken {taken}
error: nobody is there to confirm it
hint: say `hardway snapshot delete monday --yes`; --dry-run says what would be done
"
        ),
    );
    let deleted = json_of(
        &cluster,
        &["snapshot", "delete", "monday", "--yes", "--json"],
    );
    assert_eq!(deleted, json!({ "dryRun": false, "deleted": "monday" }));
    let said = cluster.hardway(&["snapshot", "delete", "monday"]);
    assert_eq!(
        (said.code, said.stderr.as_str()),
        (
            1,
            "error: there is no snapshot monday\nhint: `hardway snapshot save NAME` makes one\n"
        )
    );
}

#[test]
fn a_reset_is_asked_about_like_a_restore() {
    let cluster = off();
    json_of(&cluster, &["snapshot", "save", "fresh", "--json"]);
    let said = cluster.hardway(&["reset"]);
    assert_eq!((said.code, said.stdout.as_str()), (2, ""));
    assert!(
        said.stderr.starts_with(
            "Lost for good with `hardway reset`:\n  what has happened on alpha and sigma since "
        ),
        "{}",
        said.stderr
    );
    assert_eq!(
        json_of(&cluster, &["reset", "--dry-run", "--json"])["dryRun"],
        true
    );
    let said = cluster.hardway(&["reset", "--yes"]);
    let done = "restored fresh: `hardway up` starts the machines\n";
    assert_eq!((said.code, said.stdout.as_str()), (0, done));
}

/// What a person at a terminal answers is what happens.
#[test]
fn a_typed_yes_and_a_typed_no() {
    let cluster = off();
    json_of(&cluster, &["snapshot", "save", "monday", "--json"]);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/see/answer.exp");
    let answer = |word: &str| {
        let output = Command::new("expect")
            .arg(&script)
            .arg(word)
            .arg(env!("CARGO_BIN_EXE_hardway"))
            .args(["--dir", cluster.paths.dir.to_str().unwrap()])
            .args(["snapshot", "delete", "monday"])
            .output()
            .unwrap();
        let told = String::from_utf8(output.stdout).unwrap();
        (output.status.code().unwrap(), told)
    };
    let record = cluster.paths.snapshots().join("monday.json");
    let (code, told) = answer("y");
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("Type yes to remove monday: "), "{told}");
    assert!(
        told.contains("error: not confirmed: nothing was changed"),
        "{told}"
    );
    assert!(record.is_file());
    let (code, told) = answer("yes");
    assert_eq!(code, 0, "{told}");
    assert!(told.contains("deleted monday"), "{told}");
    assert!(!record.exists());
}

/// A cluster in which sigma's machine runs, and its process id.
fn running() -> (Cluster, String) {
    let mut cluster = Cluster::new(nobody);
    cluster.silent_machine("sigma");
    let pid = fs::read_to_string(cluster.files("sigma").qemu_pid()).unwrap();
    // The first that looks notes the process that it finds.
    cluster.hardway(&["status"]);
    (cluster, pid)
}

#[test]
fn what_down_would_do() {
    let (mut cluster, pid) = running();
    only_says(
        &cluster,
        &["down", "--dry-run"],
        &format!(
            "would shut sigma down (process {pid}), by force where that takes more than 90 s\n"
        ),
    );
    cluster.dies("sigma");
    let nothing = "nothing to do: no machine runs\n";
    only_says(&cluster, &["down", "--dry-run"], nothing);
    let none = json!({ "dryRun": false, "stopped": [] });
    assert_eq!(json_of(&cluster, &["down", "--json"]), none);
}

#[test]
fn what_destroy_would_do() {
    let (cluster, pid) = running();
    only_says(
        &cluster,
        &["destroy", "--dry-run"],
        &format!(
            "\
would end sigma's machine (process {pid}), which is not shut down first
would remove [runtime]
would remove [cluster]/.hardway
lost for good:
  the machine sigma and its disk
  [cluster]/.hardway with every key and certificate
"
        ),
    );
    let removed = json!({ "dryRun": false, "removed": "[cluster]/.hardway" });
    assert_eq!(json_of(&cluster, &["destroy", "--yes", "--json"]), removed);
    let nothing = "nothing to do: there is no [cluster]/.hardway\n";
    only_says(&cluster, &["destroy", "--dry-run"], nothing);
}
