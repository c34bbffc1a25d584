//! kube-apiserver: the front door; everything else only ever talks to it.

use std::collections::BTreeMap;

use serde_json::json;

use super::network::{advertised_address, api_secure_port};
use super::{Component, ConfigFile, Format, WaitFor, flags, pki, words};
use crate::topology::{Cni, NetworkMode, Node, Topology};

pub(super) const NAME: &str = "kube-apiserver";

/// The user of the three control-plane programs, which share the service-account key.
pub(super) const USER: &str = "kubernetes";

/// They are told to come again as soon as the server stops; how long it waits for the
/// slowest.
const WATCHES_END_WITHIN: &str = "10s";

pub(super) fn component(topology: &Topology, node: &Node) -> Component {
    let issuer = format!("https://kubernetes.default.svc.{}", topology.domain);
    let mut flags = flags([
        (
            "advertise-address",
            json!(advertised_address(topology, node)),
        ),
        ("allow-privileged", json!(true)),
        ("api-audiences", json!([issuer])),
        ("audit-log-maxage", json!(7)),
        ("audit-log-maxbackup", json!(3)),
        ("audit-log-maxsize", json!(50)),
        ("audit-log-path", json!("/var/lib/kube-apiserver/audit.log")),
        (
            "audit-policy-file",
            json!("/etc/kubernetes/audit-policy.yaml"),
        ),
        ("authorization-mode", json!(["Node", "RBAC"])),
        ("bind-address", json!("0.0.0.0")),
        ("client-ca-file", json!(pki("ca.pem"))),
        ("enable-admission-plugins", json!(["NodeRestriction"])),
        (
            "encryption-provider-config",
            json!(pki("encryption-config.yaml")),
        ),
        ("etcd-cafile", json!(pki("etcd-ca.pem"))),
        (
            "etcd-certfile",
            json!(pki("kube-apiserver-etcd-client.pem")),
        ),
        (
            "etcd-keyfile",
            json!(pki("kube-apiserver-etcd-client-key.pem")),
        ),
        ("etcd-servers", json!(["https://127.0.0.1:2379"])),
        ("kubelet-certificate-authority", json!(pki("ca.pem"))),
        (
            "kubelet-client-certificate",
            json!(pki("kube-apiserver-kubelet-client.pem")),
        ),
        (
            "kubelet-client-key",
            json!(pki("kube-apiserver-kubelet-client-key.pem")),
        ),
        (
            "kubelet-preferred-address-types",
            json!(kubelet_addresses(topology)),
        ),
        ("profiling", json!(false)),
        (
            "proxy-client-cert-file",
            json!(pki("front-proxy-client.pem")),
        ),
        (
            "proxy-client-key-file",
            json!(pki("front-proxy-client-key.pem")),
        ),
        ("requestheader-allowed-names", json!(["front-proxy-client"])),
        (
            "requestheader-client-ca-file",
            json!(pki("front-proxy-ca.pem")),
        ),
        (
            "requestheader-extra-headers-prefix",
            json!(["X-Remote-Extra-"]),
        ),
        ("requestheader-group-headers", json!(["X-Remote-Group"])),
        ("requestheader-username-headers", json!(["X-Remote-User"])),
        ("secure-port", json!(api_secure_port(topology))),
        ("service-account-issuer", json!(issuer)),
        (
            "service-account-key-file",
            json!(pki("service-account.pem")),
        ),
        (
            "service-account-signing-key-file",
            json!(pki("service-account-key.pem")),
        ),
        ("service-cluster-ip-range", json!(topology.network.services)),
        // Without it a stop waits a minute for watches, which never end by themselves.
        (
            "shutdown-watch-termination-grace-period",
            json!(WATCHES_END_WITHIN),
        ),
        ("tls-cert-file", json!(pki("kube-apiserver.pem"))),
        ("tls-min-version", json!("VersionTLS12")),
        ("tls-private-key-file", json!(pki("kube-apiserver-key.pem"))),
    ]);
    // This node has static routes to the Pods but no service proxy: calls to
    // aggregated APIs must go to a Pod's address, not to a ClusterIP.
    if topology.cni == Cni::Bridge {
        flags.insert("enable-aggregator-routing".into(), json!(true));
    }
    Component {
        description:
            "kube-apiserver: serves the Kubernetes API; every other component is its client".into(),
        package: "kubernetes".into(),
        command: NAME.into(),
        flags,
        config: Some(audit_policy()),
        path: words(&[]),
        requires: words(&["etcd.service"]),
        after: words(&[]),
        user: USER.into(),
        readiness: "notify".into(),
        wait_for: None,
        state_directory: Some(NAME.into()),
        delegate: false,
        ports: vec![api_secure_port(topology)],
        hardening: BTreeMap::new(),
    }
}

/// What the controller manager and the scheduler wait for. The server tells systemd that it
/// is ready once it listens; RBAC's roles come a while later, minutes on an emulated machine,
/// and until then it refuses these two, which would start over and over and take the
/// processor from it. Anyone may ask for `/readyz`, by the last of these roles
/// (system:public-info-viewer).
pub(super) fn until_ready(topology: &Topology) -> WaitFor {
    let url = format!("https://127.0.0.1:{}/readyz", api_secure_port(topology));
    WaitFor {
        package: "curl".into(),
        command: "curl".into(),
        arguments: words(&[
            "--cacert",
            &pki("ca.pem"),
            "--fail",
            "--max-time",
            "10",
            "--output",
            "/dev/null",
            "--retry",
            "400",
            "--retry-all-errors",
            "--retry-delay",
            "2",
            "--silent",
            &url,
        ]),
    }
}

/// Which of a node's addresses the API server dials. In user mode a worker's own is one
/// in a network that ends at its QEMU; its name leads to the host, which forwards.
fn kubelet_addresses(topology: &Topology) -> [&'static str; 2] {
    match topology.network.mode {
        NetworkMode::Segment => ["InternalIP", "Hostname"],
        NetworkMode::User => ["Hostname", "InternalIP"],
    }
}

/// What the API server writes down. Without a policy it logs nothing at all.
fn audit_policy() -> ConfigFile {
    ConfigFile {
        path: "kubernetes/audit-policy.yaml".into(),
        format: Format::Yaml,
        value: json!({
            "apiVersion": "audit.k8s.io/v1",
            "kind": "Policy",
            "omitStages": ["RequestReceived"],
            "rules": [
                // Leases and events are a heartbeat and its echo: thousands a day, no decision in them.
                { "level": "None", "resources": [
                    { "group": "coordination.k8s.io", "resources": ["leases"] },
                    { "group": "", "resources": ["events"] },
                    { "group": "events.k8s.io", "resources": ["events"] },
                ] },
                // Probes come several times a second while it starts, its own among them.
                { "level": "None", "nonResourceURLs": ["/healthz*", "/livez*", "/readyz*"] },
                // Never a body: these hold credentials.
                { "level": "Metadata", "resources": [
                    { "group": "", "resources": ["secrets", "configmaps", "serviceaccounts/token"] },
                    { "group": "authentication.k8s.io", "resources": ["tokenreviews"] },
                ] },
                { "level": "Request", "verbs": ["create", "delete", "deletecollection", "patch", "update"] },
                { "level": "Metadata" },
            ],
        }),
    }
}
