//! `hardway up` where cluster.json no longer has a node.

use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::Cluster;

/// A guest, for a program's arguments.
type Guest = fn(&[&str]) -> (i32, String);

const WRITTEN: &str = "127.0.0.1 localhost\n10.240.0.10 alpha\n10.240.0.21 sigma\n";
const TO_SIGMA: &str = "10.200.21.0/24 via 10.240.0.21 proto static\n";
const TO_THETA: &str = "10.200.22.0/24 via 10.240.0.22 proto static\n";

/// What the guests were told to change.
static CHANGED: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn alpha(words: &[&str]) -> (i32, String) {
    guest(words, &[TO_SIGMA, TO_THETA])
}

fn sigma(words: &[&str]) -> (i32, String) {
    guest(words, &[TO_THETA])
}

fn guest(words: &[&str], routes: &[&str]) -> (i32, String) {
    let script = words[2];
    if script.contains("boot_id") {
        return (0, "boot-1\n".to_owned());
    }
    if script.contains("cat /etc/hosts") {
        let hosts = format!("{WRITTEN}10.240.0.22 theta\n");
        return (0, format!("{hosts}\n--routes--\n{}", routes.concat()));
    }
    assert_eq!(words[4], WRITTEN, "the hosts file without theta");
    let route = script.lines().last().unwrap_or_default();
    CHANGED.lock().unwrap().push(route.to_owned());
    (0, String::new())
}

fn node(name: &str, range: &str, ready: &str) -> Value {
    json!({
        "metadata": { "name": name },
        "spec": { "podCIDR": range },
        "status": {
            "conditions": [{ "type": "Ready", "status": ready }],
            "nodeInfo": { "bootID": "boot-1" },
        },
    })
}

fn pod(name: &str, kind: Option<&str>) -> Value {
    let owners: Vec<Value> = kind
        .iter()
        .map(|kind| json!({ "kind": kind, "controller": true }))
        .collect();
    json!({ "metadata": { "namespace": "default", "name": name, "ownerReferences": owners } })
}

/// An API server with theta and its Pods. It refuses the first eviction, as a budget does.
#[derive(Default)]
struct Api {
    ready: &'static str,
    gone: bool,
    pods: Vec<(&'static str, Option<&'static str>)>,
    refused: bool,
    /// What was asked for about theta.
    asked: Vec<String>,
}

impl Api {
    fn answer(&mut self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let of_theta = path.ends_with("/theta") || path.ends_with("/eviction");
        if of_theta {
            self.asked.push(match method {
                "PATCH" => format!("{method} {path} {body}"),
                _ => format!("{method} {path}"),
            });
        }
        match (method, path) {
            ("GET", "/readyz") => (200, json!("ok")),
            ("GET", "/api/v1/nodes") => {
                let mut items = vec![node("sigma", "10.200.21.0/24", "True")];
                if !self.gone {
                    items.push(node("theta", "10.200.22.0/24", self.ready));
                }
                (200, json!({ "items": items }))
            }
            ("GET", "/api/v1/pods?fieldSelector=spec.nodeName%3Dtheta") => {
                let items: Vec<Value> = self
                    .pods
                    .iter()
                    .map(|(name, kind)| pod(name, *kind))
                    .collect();
                (200, json!({ "items": items }))
            }
            ("POST", _) if !self.refused => {
                self.refused = true;
                let why = "Cannot evict pod as it would violate the pod's disruption budget.";
                (429, json!({ "message": why }))
            }
            ("POST", path) => {
                self.pods
                    .retain(|(name, _)| !path.contains(&format!("/{name}/")));
                (201, json!({}))
            }
            ("DELETE", "/api/v1/nodes/theta") => {
                let (code, before) = (if self.gone { 404 } else { 200 }, self.gone);
                self.gone = true;
                (code, json!({ "message": format!("gone before: {before}") }))
            }
            ("GET", _) => (
                200,
                json!({
                    "metadata": { "generation": 1 },
                    "status": {
                        "observedGeneration": 1, "availableReplicas": 1,
                        "conditions": [{ "type": "Available", "status": "True" }],
                    },
                }),
            ),
            _ => (200, json!({})),
        }
    }
}

/// alpha and sigma run, installed while theta was there; theta is no longer in cluster.json.
fn cluster(api: Api) -> (Cluster, Arc<Mutex<Api>>) {
    let api = Arc::new(Mutex::new(api));
    let served = Arc::clone(&api);
    let mut cluster = Cluster::generated(&["sigma", "theta"], move |method, path, body| {
        served.lock().unwrap().answer(method, path, body)
    });
    cluster.write(&["sigma"]);
    for (name, guest) in [("alpha", alpha as Guest), ("sigma", sigma)] {
        cluster.machine(name, Duration::ZERO, guest);
        let installed = json!({
            "medium": "none", "mediumSha256": "", "flakeSha256": "old", "keysSha256": "",
            "system": "x86_64-linux", "finished": "2026-01-01T00:00:00Z",
        });
        fs::write(cluster.files(name).installed(), installed.to_string()).unwrap();
    }
    (cluster, api)
}

fn nothing_is_left(cluster: &Cluster) {
    assert!(!cluster.files("theta").dir.exists());
    let keys = fs::read_dir(cluster.paths.pki()).unwrap();
    let mut keys = keys.map(|file| file.unwrap().file_name().into_string().unwrap());
    assert_eq!(keys.find(|name| name.contains("theta")), None);
    let sockets = fs::read_dir(cluster.paths.runtime()).unwrap();
    let mut sockets = sockets.map(|file| file.unwrap().file_name().into_string().unwrap());
    assert_eq!(sockets.find(|name| name.starts_with("theta")), None);
}

#[test]
fn a_node_that_is_gone_is_emptied_deleted_and_forgotten() {
    let (mut cluster, api) = cluster(Api {
        ready: "True",
        pods: vec![
            ("web-1", Some("ReplicaSet")),
            ("alone", None),
            ("agent", Some("DaemonSet")),
        ],
        ..Api::default()
    });
    cluster.silent_machine("theta");
    // As of an installation that broke off: it is not asked to shut down, it is ended.
    fs::remove_file(cluster.files("theta").installed()).unwrap();

    let said = cluster.hardway(&["up", "--no-snapshot"]);
    assert_eq!(said.code, 2);
    assert!(said.stderr.ends_with(
        "error: nobody is there to confirm it\n\
         hint: say `hardway up --yes`, or put theta into cluster.json again\n"
    ));
    assert!(
        cluster
            .paths
            .pki()
            .join("kubelet-serving-theta.pem")
            .exists()
    );

    let said = cluster.hardway(&["up", "--no-snapshot", "--yes"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(
        said.stderr.contains(
            "warning: no controller starts the Pod default/alone elsewhere: it is gone with theta\n"
        ),
        "{}",
        said.stderr
    );
    assert_eq!(
        api.lock().unwrap().asked,
        [
            "PATCH /api/v1/nodes/theta {\"spec\":{\"unschedulable\":true}}",
            "POST /api/v1/namespaces/default/pods/web-1/eviction",
            "POST /api/v1/namespaces/default/pods/alone/eviction",
            "POST /api/v1/namespaces/default/pods/web-1/eviction",
            "DELETE /api/v1/nodes/theta",
        ]
    );
    nothing_is_left(&cluster);
    // alpha and sigma at the least: the test below has guests, too.
    let told = CHANGED.lock().unwrap().clone();
    let away = "ip -4 route del 10.200.22.0/24 via 10.240.0.22 dev segment0";
    assert!(
        told.len() >= 2 && told.iter().all(|told| told == away),
        "{told:?}"
    );
}

/// A run that was killed after the Node was deleted: there is only a folder.
#[test]
fn what_a_killed_run_left_of_a_node_is_removed() {
    let (cluster, api) = cluster(Api {
        gone: true,
        ..Api::default()
    });
    fs::create_dir_all(cluster.files("theta").dir).unwrap();
    fs::write(cluster.paths.runtime().join("theta.seg"), "").unwrap();
    let said = cluster.hardway(&["up", "--no-snapshot", "--yes"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert_eq!(api.lock().unwrap().asked, ["DELETE /api/v1/nodes/theta"]);
    nothing_is_left(&cluster);
}
