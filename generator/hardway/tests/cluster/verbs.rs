//! Verbs where there is no cluster yet, or no program that it takes.

use crate::support::{cluster, hardway, hardway_with_path, use_bridge};

#[test]
fn status_says_that_there_is_no_cluster_yet() {
    let folder = cluster();
    let (code, stdout, stderr) = hardway(folder.path(), &["status"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert!(
        stdout.ends_with(": no cluster yet; `hardway up` makes one\n"),
        "{stdout}"
    );

    let (code, stdout, _) = hardway(folder.path(), &["status", "--json"]);
    let status: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(code, 0);
    assert_eq!(status["api"]["ready"], false);
    assert_eq!(status["nodes"][0]["name"], "alpha");
    assert_eq!(status["nodes"][0]["machine"], "not-installed");
}

#[test]
fn verbs_on_a_cluster_that_is_not_there_say_so() {
    let folder = cluster();
    for verb in [
        &["kubectl", "get", "nodes", "-o", "wide"][..],
        &["verify"],
        &["up", "--from", "fresh"],
    ] {
        let (code, stdout, stderr) = hardway(folder.path(), verb);
        assert_eq!((code, stdout.as_str()), (1, ""));
        assert!(
            stderr.starts_with("error: no cluster yet: there is no "),
            "{stderr}"
        );
        assert!(stderr.ends_with("hint: run `hardway up`\n"), "{stderr}");
    }
    let (code, stdout, _) = hardway(folder.path(), &["down"]);
    assert_eq!(
        (code, stdout.as_str()),
        (0, "nothing to do: no machine runs\n")
    );
    let (code, stdout, _) = hardway(folder.path(), &["destroy", "--yes"]);
    assert_eq!(code, 0);
    assert!(
        stdout.starts_with("nothing to do: there is no "),
        "{stdout}"
    );
    assert!(!folder.path().join(".hardway").exists());
}

#[test]
fn destroy_wants_a_yes_and_keeps_what_people_wrote() {
    let folder = cluster();
    let (code, _, stderr) = hardway(folder.path(), &["generate"]);
    assert_eq!(code, 0, "{stderr}");
    let state = folder.path().join(".hardway");
    let (code, _, stderr) = hardway(folder.path(), &["destroy"]);
    assert_eq!(code, 2);
    assert_eq!(
        stderr.replace(state.to_str().unwrap(), "STATE"),
        "\
Lost for good with `hardway destroy`:
  STATE with every key and certificate
error: nobody is there to confirm it
hint: say `hardway destroy --yes`; --dry-run says what would be done
"
    );
    assert!(state.is_dir());
    let (code, _, stderr) = hardway(folder.path(), &["destroy", "--yes"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert!(!state.exists());
    assert!(folder.path().join("hosts/alpha/default.nix").is_file());
    assert!(folder.path().join("cluster.json").is_file());
}

#[test]
fn up_without_a_medium_or_a_network_says_how_to_get_one() {
    let folder = cluster();
    use_bridge(folder.path());
    let (code, stdout, stderr) = hardway(folder.path(), &["up", "--arch", "x86_64"]);
    assert_eq!((code, stdout.as_str()), (1, ""));
    let end = "\
error: cannot look at https://channels.nixos.org/nixos-26.05/latest-nixos-minimal-x86_64-linux.iso
caused by: io: Connection refused (os error 111)
hint: name a medium that you have with --iso PATH, or a mirror of the channel with --channel URL
";
    assert!(stderr.ends_with(end), "{stderr}");
}

#[test]
fn up_says_why_a_certificate_is_issued_anew() {
    let folder = cluster();
    use_bridge(folder.path());
    assert_eq!(hardway(folder.path(), &["generate"]).0, 0);
    std::fs::remove_file(folder.path().join(".hardway/pki/admin-key.pem")).unwrap();
    let (code, _, stderr) = hardway(folder.path(), &["up"]);
    assert_eq!(code, 1, "there is no medium");
    assert!(
        stderr.starts_with("admin is issued anew: its key is missing\n"),
        "{stderr}"
    );
}

#[test]
fn up_names_the_memory_that_fits() {
    let folder = cluster();
    use_bridge(folder.path());
    std::fs::write(folder.path().join("cluster.env"), "WORKER_MEM=4194304\n").unwrap();
    let (code, _, stderr) = hardway(folder.path(), &["up"]);
    assert_eq!(code, 1);
    assert!(
        stderr.contains("error: the host has too little memory: 3 machines ask for "),
        "{stderr}"
    );
    assert!(stderr.contains("hint: "), "{stderr}");
}

#[test]
fn up_with_cilium_and_no_helm_names_the_package() {
    let folder = cluster();
    let empty = tempfile::tempdir().unwrap();
    let (code, _, stderr) = hardway_with_path(folder.path(), &["up"], empty.path());
    assert_eq!(code, 1);
    assert!(
        stderr.ends_with(
            "error: helm is not installed: it installs Cilium, the cluster's network (cni: cilium)\n\
             hint: Debian: no package of its own, see https://helm.sh/docs/intro/install; \
             Nix: nix shell nixpkgs#kubernetes-helm; Homebrew: brew install helm\n"
        ),
        "{stderr}"
    );
}

#[test]
fn up_refuses_a_capture_that_cannot_be() {
    let folder = cluster();
    let dir = folder.path();
    let at = |name: &str| dir.join(name).to_str().unwrap().to_owned();
    let (one, absent) = (at("one.pcap"), at("absent/one.pcap"));
    let up = |pairs: &[&str]| {
        let mut arguments = vec!["up"];
        for pair in pairs.chunks(2) {
            arguments.extend(["--pcap", pair[0], pair[1]]);
        }
        let (code, stdout, stderr) = hardway(dir, &arguments);
        assert_eq!((code, stdout.as_str()), (1, ""));
        stderr.replace(dir.to_str().unwrap(), "DIR")
    };
    assert_eq!(
        up(&["omega", &one]),
        "error: cluster.json has no node \"omega\"\nhint: its nodes are alpha, gamma, sigma\n"
    );
    assert_eq!(
        up(&["sigma", &absent]),
        "error: cannot capture sigma's network\n\
         caused by: there is no folder DIR/absent\n\
         hint: mkdir -p DIR/absent\n"
    );
    assert_eq!(
        up(&["sigma", &one, "gamma", &one]),
        "error: --pcap gamma DIR/one.pcap and --pcap sigma DIR/one.pcap exclude each other\n\
         hint: one file a node, and one node a file\n"
    );
}
