//! kube-scheduler: chooses a node for each new Pod.

use std::collections::BTreeMap;

use serde_json::json;

use super::kube_apiserver::{self, USER};
use super::{Component, ConfigFile, Format, flags, pki, words};
use crate::topology::Topology;

pub(super) const NAME: &str = "kube-scheduler";

pub(super) fn component(topology: &Topology) -> Component {
    let kubeconfig = pki("kube-scheduler.kubeconfig");
    Component {
        description: "kube-scheduler: chooses the node on which a new Pod runs".into(),
        package: "kubernetes".into(),
        command: NAME.into(),
        flags: flags([
            ("authentication-kubeconfig", json!(kubeconfig)),
            ("authorization-kubeconfig", json!(kubeconfig)),
            ("bind-address", json!("127.0.0.1")),
            ("config", json!("/etc/kubernetes/kube-scheduler.yaml")),
        ]),
        config: Some(ConfigFile {
            path: "kubernetes/kube-scheduler.yaml".into(),
            format: Format::Yaml,
            value: json!({
                "apiVersion": "kubescheduler.config.k8s.io/v1",
                "kind": "KubeSchedulerConfiguration",
                "clientConnection": { "kubeconfig": kubeconfig },
                "enableProfiling": false,
                "leaderElection": { "leaderElect": true },
            }),
        }),
        path: words(&[]),
        requires: words(&[]),
        after: words(&["kube-apiserver.service"]),
        user: USER.into(),
        readiness: "exec".into(),
        wait_for: Some(kube_apiserver::until_ready(topology)),
        state_directory: None,
        delegate: false,
        ports: vec![10259],
        hardening: BTreeMap::new(),
    }
}
