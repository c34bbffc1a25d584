//! What spans machines, as far as it can be seen without one: the API client
//! against a TLS server, the lock, and the verbs where there is no cluster yet.

// Helpers stop a test as its own body does.
#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use hardway::cluster::api::{self, Client};
use hardway::cluster::lock;
use hardway::report::render;
use hardway::state::Paths;
use serde_json::json;

#[path = "common/api_server.rs"]
mod api_server;

use api_server::{Authority, serve};

const LIMIT: Duration = Duration::from_secs(10);

fn api_like(head: &str, body: &str, shown: bool) -> (u16, String) {
    if !shown {
        let status = json!({ "kind": "Status", "message": "nodes is forbidden", "code": 403 });
        return (403, status.to_string());
    }
    if head.starts_with("GET /absent") {
        return (404, json!({ "message": "absent" }).to_string());
    }
    (200, json!({ "head": head, "body": body }).to_string())
}

#[test]
fn the_client_shows_its_certificate_and_sends_what_it_says() {
    let authority = Authority::new();
    let port = serve(&authority, api_like);
    let client = Client::new(port, &authority.client(), LIMIT).unwrap();
    let head = |answer: &serde_json::Value| answer["head"].as_str().unwrap().to_owned();

    let got = head(&client.get("/api/v1/nodes").unwrap());
    assert!(got.starts_with("GET /api/v1/nodes HTTP/1.1\r\n"), "{got}");

    let answer = client
        .merge("/api/v1/nodes/sigma", &json!({ "spec": {} }))
        .unwrap();
    let got = head(&answer);
    assert!(got.starts_with("PATCH /api/v1/nodes/sigma "), "{got}");
    assert!(
        got.contains("content-type: application/merge-patch+json\r\n"),
        "{got}"
    );
    assert_eq!(answer["body"], r#"{"spec":{}}"#);

    let answer = client.apply("/apis/x", &json!({ "kind": "X" })).unwrap();
    let got = head(&answer);
    assert!(
        got.starts_with("PATCH /apis/x?fieldManager=hardway&force=true "),
        "{got}"
    );
    assert!(
        got.contains("content-type: application/apply-patch+yaml\r\n"),
        "{got}"
    );
    assert_eq!(answer["body"], r#"{"kind":"X"}"#);

    let got = head(&client.delete("/api/v1/namespaces/x").unwrap());
    assert!(got.starts_with("DELETE /api/v1/namespaces/x "), "{got}");
    assert_eq!(client.find("/absent").unwrap(), None);
}

#[test]
fn a_refusal_carries_the_status_and_kubernetes_words() {
    let authority = Authority::new();
    let port = serve(&authority, api_like);
    let client = Client::anonymous(port, &authority.pem, LIMIT).unwrap();
    let error = client.get("/api/v1/nodes").unwrap_err();
    assert_eq!(api::status(&error), Some(403));
    assert_eq!(
        render(&error),
        "error: the API server refused GET /api/v1/nodes\n\
         caused by: HTTP 403: nodes is forbidden\n"
    );
}

#[test]
fn a_server_of_another_authority_is_not_believed() {
    let port = serve(&Authority::new(), api_like);
    let client = Client::new(port, &Authority::new().client(), LIMIT).unwrap();
    let error = client.get("/api/v1/nodes").unwrap_err();
    assert_eq!(api::status(&error), None);
    assert!(format!("{error:#}").contains("certificate"), "{error:#}");
}

#[test]
fn a_server_that_never_answers_costs_the_limit_and_no_more() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let authority = Authority::new();
    let client = Client::new(port, &authority.client(), Duration::from_millis(300)).unwrap();
    let start = Instant::now();
    let error = client.get("/readyz").unwrap_err();
    assert!(
        start.elapsed() < Duration::from_secs(60),
        "{:?}",
        start.elapsed()
    );
    let first = format!("error: no answer to GET https://127.0.0.1:{port}/readyz within 0.3 s\n");
    assert!(render(&error).starts_with(&first), "{error:#}");
}

#[test]
fn two_runs_are_kept_apart_and_the_second_is_told_by_whom() {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::new(folder.path());
    let error = lock::hold(&paths, "up", || {
        Ok(lock::hold(&paths, "down", || Ok(())).unwrap_err())
    })
    .unwrap();
    assert_eq!(
        render(&error),
        format!(
            "error: `hardway up` (process {}) is working on this cluster\n\
             hint: wait until it is done, or end it with Ctrl-C\n",
            std::process::id()
        )
    );
    // Free again; and a killed run's text keeps nobody away.
    std::fs::write(paths.lock(), "1 up\n").unwrap();
    lock::hold(&paths, "down", || Ok(())).unwrap();
}

/// At the level of the command: whatever would change the cluster is refused, and a look
/// at it is not.
#[test]
fn a_second_hardway_changes_nothing_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    assert_eq!(hardway(dir, &["init", dir.to_str().unwrap()]).0, 0);
    let refused = format!(
        "error: `hardway up` (process {}) is working on this cluster\n\
         hint: wait until it is done, or end it with Ctrl-C\n",
        std::process::id()
    );
    lock::hold(&Paths::new(dir), "up", || {
        for arguments in [
            &["up"] as &[_],
            &["down"],
            &["install", "sigma"],
            &["restore", "one"],
            &["reset"],
            &["snapshot", "save", "one"],
            &["snapshot", "delete", "one"],
            &["destroy", "--yes"],
        ] {
            let told = hardway(dir, arguments);
            assert_eq!(told, (1, String::new(), refused.clone()), "{arguments:?}");
        }
        for arguments in [&["status"] as &[_], &["snapshot", "list"]] {
            let (code, _, stderr) = hardway(dir, arguments);
            assert!(code < 2 && !stderr.contains("is working"), "{stderr}");
        }
        Ok(())
    })
    .unwrap();
}

/// `hardway` on a cluster of its own; nothing of the environment but PATH, and a proxy
/// that is not there, so that no test leaves this host.
fn hardway(dir: &Path, arguments: &[&str]) -> (i32, String, String) {
    let path = std::env::var_os("PATH").unwrap_or_default();
    hardway_with_path(dir, arguments, path.as_ref())
}

fn hardway_with_path(dir: &Path, arguments: &[&str], path: &Path) -> (i32, String, String) {
    let mut authority = tempfile::NamedTempFile::new().unwrap();
    authority
        .write_all(Authority::new().pem.as_bytes())
        .unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_hardway"))
        .arg("--dir")
        .arg(dir)
        .args(arguments)
        .env_clear()
        .env("PATH", path)
        .env("XDG_CACHE_HOME", dir.join("cache"))
        .env("https_proxy", "http://127.0.0.1:1")
        .env("SSL_CERT_FILE", authority.path())
        .output()
        .unwrap();
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

/// A starting point as `hardway init` writes it, with small machines and free ports:
/// whoever runs the tests may have a cluster on the usual ones.
fn cluster() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().to_str().unwrap();
    let (code, _, stderr) = hardway(folder.path(), &["init", dir]);
    assert_eq!(code, 0, "{stderr}");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let ssh = (23_000_u16..60_000).step_by(100).find(|base| {
        let mut nodes = [10, 21, 22].iter();
        nodes.all(|node| TcpListener::bind(("127.0.0.1", base + node)).is_ok())
    });
    let small = format!(
        "WORKER_MEM=2048\nCONTROL_PLANE_MEM=2048\nAPI_PORT={port}\nSSH_PORT_BASE={}\n",
        ssh.unwrap()
    );
    std::fs::write(folder.path().join("cluster.env"), small).unwrap();
    folder
}

/// The starting point's CNI is Cilium.
fn use_bridge(dir: &Path) {
    let path = dir.join("cluster.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let changed = text.replace("\"cilium\"", "\"bridge\"");
    assert_ne!(text, changed);
    std::fs::write(&path, changed).unwrap();
}

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

/// A machine that cluster.json does not have, as far as a folder makes one.
fn left_behind(dir: &Path, name: &str) {
    let folder = dir.join(".hardway/nodes").join(name);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("disk.qcow2"), "").unwrap();
}

#[test]
fn up_asks_before_it_removes_a_node() {
    let folder = cluster();
    let dir = folder.path();
    left_behind(dir, "iota");
    left_behind(dir, "theta");
    let snapshots = dir.join(".hardway/snapshots");
    std::fs::create_dir(&snapshots).unwrap();
    let generation = json!({ "flakeSha256": "", "keysSha256": "", "installed": "" });
    let record = json!({
        "name": "monday", "description": null, "taken": "2026-11-23T08:00:00Z", "kind": "cold",
        "topologySha256": "", "pkiSha256": null, "generation": { "theta": generation },
        "platform": {
            "qemu": "", "machine": "", "accelerator": "tcg", "cpu": "", "firmwareSha256": "",
        },
    });
    std::fs::write(snapshots.join("monday.json"), record.to_string()).unwrap();

    let (code, stdout, stderr) = hardway(dir, &["up"]);
    assert_eq!((code, stdout.as_str()), (2, ""));
    assert_eq!(
        stderr,
        "\
cluster.json no longer has iota and theta. `up` removes, for good:
  the Node iota, with its Pods
  the machine iota and its disk
  iota's keys and certificates
  the Node theta, with its Pods
  the machine theta and its disk
  theta's keys and certificates
  iota and theta's part of these snapshots, which can't be restored without it: monday
error: nobody is there to confirm it
hint: say `hardway up --yes`, or put iota and theta into cluster.json again
"
    );
    let (code, stdout, stderr) = hardway(dir, &["up", "--dry-run"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert_eq!(
        stdout,
        "\
would install and start alpha, gamma and sigma
would evict the Pods of iota, delete its Node and shut it down
would remove the disk, keys and certificates of iota
would evict the Pods of theta, delete its Node and shut it down
would remove the disk, keys and certificates of theta
lost for good:
  the Node iota, with its Pods
  the machine iota and its disk
  iota's keys and certificates
  the Node theta, with its Pods
  the machine theta and its disk
  theta's keys and certificates
  iota and theta's part of these snapshots, which can't be restored without it: monday
"
    );
    let (code, stdout, _) = hardway(dir, &["up", "--dry-run", "--json"]);
    let told: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, &told["dryRun"]), (0, &json!(true)));
    let first = json!({ "what": "install and start alpha, gamma and sigma" });
    assert_eq!(told["would"][0], first);
    assert_eq!(told["lost"][0], "the Node iota, with its Pods");
    assert!(
        !dir.join("hosts").exists(),
        "nothing is written before the yes"
    );
}

#[test]
fn up_removes_no_control_plane() {
    let folder = cluster();
    let dir = folder.path();
    assert_eq!(hardway(dir, &["generate"]).0, 0);
    left_behind(dir, "alpha");
    let path = dir.join("cluster.json");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("\"alpha\"", "\"omega\"")).unwrap();
    let (code, stdout, stderr) = hardway(dir, &["up", "--yes"]);
    assert_eq!((code, stdout.as_str()), (1, ""));
    assert_eq!(
        stderr,
        "\
error: cluster.json no longer has alpha, which is a control plane: etcd's data is on its disk
hint: give cluster.json back its node alpha; a cluster with another control plane is another \
cluster: hardway destroy, then hardway up
"
    );
    assert!(!dir.join("hosts/omega").exists());
}
