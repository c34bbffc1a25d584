//! `hardway lint`: what a person sees of a clean cluster, of an edited host, and
//! of programs at hand. Needs nix-instantiate.

#![allow(clippy::unwrap_used, clippy::expect_used)] // clippy.toml covers test functions, not their helpers

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;

use assert_cmd::Command;

fn hardway(dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::cargo_bin("hardway").unwrap();
    command.current_dir(dir).args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn generated() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for verb in ["init", "generate"] {
        let output = hardway(dir.path(), &[verb]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert_eq!(text(&output.stderr), "");
    }
    dir
}

/// Replaces `from` in the host module of `node`.
fn edit(dir: &Path, node: &str, from: &str, to: &str) {
    let file = dir.join("hosts").join(node).join("default.nix");
    let before = fs::read_to_string(&file).unwrap();
    assert!(before.contains(from), "{before}");
    fs::write(file, before.replacen(from, to, 1)).unwrap();
}

/// The last line counts what was looked at; releases change with the tables.
fn summary(output: &Output) -> String {
    let said = text(&output.stdout);
    let last = said.lines().last().unwrap();
    let (counts, rest) = last.split_once(" against ").unwrap();
    let (_, verdict) = rest.rsplit_once(": ").unwrap();
    assert!(!counts.starts_with('0'), "{last}");
    verdict.to_owned()
}

#[test]
fn the_default_cluster_is_clean() {
    let dir = generated();
    let output = hardway(dir.path(), &["lint"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    assert_eq!(summary(&output), "0 errors, 0 warnings");
    assert_eq!(text(&output.stdout).lines().count(), 1);
}

#[test]
fn an_edited_host_is_caught() {
    let dir = generated();
    edit(
        dir.path(),
        "sigma",
        "hostname-override = \"sigma\";",
        "hostname-override = \"sigma\"; pod-infra-container-image = \"pause\"; max-pods = 30;",
    );
    edit(
        dir.path(),
        "gamma",
        "failSwapOn = true;",
        "failSwapOnn = true;",
    );
    let output = hardway(dir.path(), &["lint"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(summary(&output), "2 errors, 1 warnings");
    let said = text(&output.stdout);
    for line in [
        "error: sigma: kubelet --pod-infra-container-image: Kubernetes ",
        "error: gamma: kubelet KubeletConfiguration: failSwapOnn: Kubernetes ",
        "hint: did you mean failSwapOn?",
        "warning: sigma: kubelet --max-pods: is deprecated: This parameter should be set via the config file",
    ] {
        assert!(
            said.lines().any(|one| one.starts_with(line)),
            "{line}\n{said}"
        );
    }
    let json: serde_json::Value =
        serde_json::from_slice(&hardway(dir.path(), &["lint", "--json"]).stdout).unwrap();
    assert_eq!(json["errors"], 2);
    assert_eq!(json["hostsRead"], true);
    assert_eq!(json["findings"][0]["nodes"], serde_json::json!(["sigma"]));
}

#[test]
fn a_host_that_is_no_literal_is_said_to_be_none() {
    let dir = generated();
    edit(dir.path(), "sigma", "{ ... }:", "{ lib, ... }:");
    let output = hardway(dir.path(), &["lint"]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(
        said.starts_with("error: cannot read the modules below ")
            && said.contains("caused by: ")
            && said.contains("'lib'")
            && said.contains("hint: host modules are literals"),
        "{said}"
    );
}

/// Stand-ins that parse as Kubernetes' and etcd's programs do: the test is of what
/// we make of their answers. rehearsal/tests/tables asks the real ones.
#[test]
fn programs_at_hand_are_asked() {
    let dir = generated();
    let programs = dir.path().join("programs");
    fs::create_dir(&programs).unwrap();
    let program = |name: &str, script: &str| {
        let file = programs.join(name);
        fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
    };
    program(
        "kubelet",
        r#"for word; do case $word in
             --node-ip=*) echo 'Error: unknown flag: --node-ip' >&2; exit 1 ;;
             --kubeconfig=*) echo 'Flag --kubeconfig has been deprecated, use another' >&2 ;;
           esac; done
           echo '      --node-ips string   Addresses'"#,
    );
    program(
        "etcd",
        r#"for word; do [ "$word" != --client-cert-auth=x ] || {
             echo 'invalid boolean value "x" for -client-cert-auth: parse error' >&2; exit 2
           }; done
           echo '  --name default'"#,
    );
    let output = hardway(dir.path(), &["lint", "--against", "programs"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(summary(&output), "1 errors, 1 warnings");
    let said = text(&output.stdout);
    assert!(
        said.starts_with(
            "error: gamma, sigma: kubelet --node-ip: programs/kubelet says: unknown flag: --node-ip\n\
             hint: did you mean --node-ips?\n\
             warning: gamma, sigma: kubelet --kubeconfig: is deprecated: use another\n\
             asked in programs: etcd, kubelet\n\
             not there, and not asked: containerd, kube-apiserver, kube-controller-manager, kube-scheduler (4)\n"
        ),
        "{said}"
    );

    // An edited host is a command line of its own, though its flags have the same names.
    edit(
        dir.path(),
        "alpha",
        " client-cert-auth = true;",
        " client-cert-auth = \"x\";",
    );
    let output = hardway(dir.path(), &["lint", "--against", "programs"]);
    assert_eq!(summary(&output), "3 errors, 1 warnings");
    let said = text(&output.stdout);
    assert!(
        said.contains("alpha: etcd --client-cert-auth: programs/etcd says: invalid boolean value"),
        "{said}"
    );

    fs::create_dir(dir.path().join("empty")).unwrap();
    let output = hardway(dir.path(), &["lint", "--against", "empty"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr)
            .starts_with("error: empty has none of containerd, etcd, kube-apiserver")
    );
}
