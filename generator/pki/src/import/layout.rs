//! What the files of another cluster's PKI are called: cfssl's way, in one folder, as here
//! and in Kubernetes The Hard Way; or kubeadm's.

use std::path::Path;

use anyhow::{Result, anyhow};

use common::report::WithHint;
use model::plan::Authority;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    Cfssl,
    Kubeadm,
}

/// A certificate, or a public key, and the private key for it, below the folder.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) certificate: String,
    pub(super) key: String,
}

impl Layout {
    pub(super) fn of(folder: &Path) -> Result<Self> {
        let has = |name: &str| folder.join(name).is_file();
        match (has("ca.pem"), has("ca.crt")) {
            (true, false) => Ok(Self::Cfssl),
            (false, true) => Ok(Self::Kubeadm),
            (true, true) => Err(anyhow!(
                "{} has both a ca.pem and a ca.crt",
                folder.display()
            ))
            .hint("copy the one PKI that is meant into a folder of its own"),
            (false, false) => {
                let below = folder.join("pki");
                Err(anyhow!(
                    "{} is no PKI: it has neither a ca.pem, as cfssl writes it, nor a ca.crt, as \
                     kubeadm does",
                    folder.display()
                ))
                .hint(
                    match below.join("ca.crt").is_file() || below.join("ca.pem").is_file() {
                        true => format!("hardway pki import {}", below.display()),
                        false => "name the folder with the authorities: kubeadm's is \
                              /etc/kubernetes/pki"
                            .to_owned(),
                    },
                )
            }
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Cfssl => "cfssl",
            Self::Kubeadm => "kubeadm",
        }
    }

    fn pair(self, stem: &str) -> Pair {
        let [certificate, key] = match self {
            Self::Cfssl => [".pem", "-key.pem"],
            Self::Kubeadm => [".crt", ".key"],
        }
        .map(|end| format!("{stem}{end}"));
        Pair { certificate, key }
    }

    pub(super) fn authority(self, authority: Authority) -> Pair {
        self.pair(match (self, authority) {
            (Self::Kubeadm, Authority::Etcd) => "etcd/ca",
            _ => authority.stem(),
        })
    }

    /// The public half is a key, or, in the tutorials, a certificate.
    pub(super) fn service_accounts(self) -> Pair {
        match self {
            Self::Cfssl => self.pair("service-account"),
            Self::Kubeadm => Pair {
                certificate: "sa.pub".to_owned(),
                key: "sa.key".to_owned(),
            },
        }
    }

    /// Where the leaf `name` may be, the likeliest first.
    pub(super) fn leaf(self, name: &str) -> Vec<Pair> {
        let stems: Vec<&str> = match self {
            Self::Cfssl => match name {
                "kube-apiserver" => vec![name, "kubernetes"],
                _ => {
                    let node = name.strip_prefix("kubelet-client-");
                    [name].into_iter().chain(node).collect()
                }
            },
            Self::Kubeadm => match name {
                "kube-apiserver" => vec!["apiserver"],
                "kube-apiserver-etcd-client" => vec!["apiserver-etcd-client"],
                "kube-apiserver-kubelet-client" => vec!["apiserver-kubelet-client"],
                "front-proxy-client" => vec![name],
                _ if name.starts_with("etcd-server-") => vec!["etcd/server"],
                _ if name.starts_with("etcd-peer-") => vec!["etcd/peer"],
                // In kubeadm's clusters these are in kubeconfigs, or the kubelets' own.
                _ => Vec::new(),
            },
        };
        stems.into_iter().map(|stem| self.pair(stem)).collect()
    }
}
