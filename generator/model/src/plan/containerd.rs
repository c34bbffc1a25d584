//! containerd: pulls images and runs containers for the kubelet, over the CRI socket.

use std::collections::BTreeMap;

use serde_json::json;

use super::{Component, ConfigFile, Format, SANDBOX_IMAGE, flags, words};

pub(super) const NAME: &str = "containerd";

pub(super) fn component() -> Component {
    Component {
        description: "containerd: pulls images and runs containers, at the kubelet's word".into(),
        package: "containerd".into(),
        command: NAME.into(),
        flags: flags([("config", json!("/etc/containerd/config.toml"))]),
        config: Some(ConfigFile {
            path: "containerd/config.toml".into(),
            format: Format::Toml,
            value: json!({
                "version": 3,
                "plugins": {
                    "io.containerd.cri.v1.images": {
                        "pinned_images": { "sandbox": SANDBOX_IMAGE },
                    },
                    "io.containerd.cri.v1.runtime": {
                        // Both are folders that can be written to: Cilium installs itself there.
                        "cni": { "bin_dirs": ["/opt/cni/bin"], "conf_dir": "/etc/cni/net.d" },
                        "containerd": { "runtimes": { "runc": {
                            "runtime_type": "io.containerd.runc.v2",
                            // One manager of the cgroup tree: systemd, as the kubelet is told too.
                            "options": { "SystemdCgroup": true },
                        } } },
                    },
                },
            }),
        }),
        path: words(&[
            "containerd",
            "iproute2",
            "iptables",
            "kmod",
            "runc",
            "util-linux",
        ]),
        requires: words(&[]),
        after: words(&["systemd-networkd.service"]),
        user: "root".into(),
        readiness: "notify".into(),
        wait_for: None,
        state_directory: Some(NAME.into()),
        delegate: true,
        ports: vec![],
        // None: containers inherit what containerd is denied (capabilities, system calls), and
        // volumes that the kubelet mounts reach them only through a mount namespace that is shared.
        hardening: BTreeMap::new(),
    }
}
