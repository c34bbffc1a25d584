//! Who proves to be whom: every leaf certificate and kubeconfig of the cluster.
//!
//! The set is kubeadm's (Kubernetes documentation, "PKI certificates and
//! requirements"), with one difference: nobody is in `system:masters`.

use super::network::{advertised_address, api_secure_port, node_address};
use super::{Authority, CertificateRequest, Kubeconfig, Usage};
use crate::topology::{Cni, NodeName, Role, Topology};

/// The administrators' group; a ClusterRoleBinding ties it to `cluster-admin`,
/// and can be deleted, unlike the power of `system:masters`.
pub const ADMIN_GROUP: &str = "hardway:cluster-admins";

fn client(name: &str, common_name: &str, organization: Option<&str>) -> CertificateRequest {
    CertificateRequest {
        name: name.to_owned(),
        authority: Authority::Cluster,
        common_name: common_name.to_owned(),
        organization: organization.map(ToOwned::to_owned),
        hosts: Vec::new(),
        usage: Usage::Client,
    }
}

/// The names of a node's own leaf certificates: the files that go with it.
pub fn of_node(role: Role, node: &NodeName) -> [String; 2] {
    let names = match role {
        Role::ControlPlane => ["etcd-peer", "etcd-server"],
        Role::Worker => ["kubelet-client", "kubelet-serving"],
    };
    names.map(|name| format!("{name}-{node}"))
}

/// All leaf certificates, sorted by name.
pub(super) fn requests(topology: &Topology) -> Vec<CertificateRequest> {
    let mut all = vec![
        client("admin", "admin", Some(ADMIN_GROUP)),
        CertificateRequest {
            authority: Authority::FrontProxy,
            ..client("front-proxy-client", "front-proxy-client", None)
        },
        CertificateRequest {
            hosts: api_server_names(topology),
            usage: Usage::Server,
            ..client("kube-apiserver", "kube-apiserver", None)
        },
        CertificateRequest {
            authority: Authority::Etcd,
            ..client(
                "kube-apiserver-etcd-client",
                "kube-apiserver-etcd-client",
                None,
            )
        },
        client(
            "kube-apiserver-kubelet-client",
            "kube-apiserver-kubelet-client",
            None,
        ),
        client(
            "kube-controller-manager",
            "system:kube-controller-manager",
            Some("system:kube-controller-manager"),
        ),
        client(
            "kube-scheduler",
            "system:kube-scheduler",
            Some("system:kube-scheduler"),
        ),
    ];
    if topology.cni == Cni::Bridge {
        all.push(client(
            "kube-proxy",
            "system:kube-proxy",
            Some("system:node-proxier"),
        ));
    }
    for node in topology.control_planes() {
        let address = node_address(topology, node).to_string();
        for stem in of_node(node.role, &node.name) {
            all.push(CertificateRequest {
                authority: Authority::Etcd,
                hosts: vec![
                    node.name.to_string(),
                    "localhost".to_owned(),
                    "127.0.0.1".to_owned(),
                    address.clone(),
                ],
                usage: Usage::Peer,
                ..client(&stem, node.name.as_str(), None)
            });
        }
    }
    for node in topology.workers() {
        let user = format!("system:node:{}", node.name);
        let [own, serving] = of_node(node.role, &node.name);
        all.push(client(&own, &user, Some("system:nodes")));
        let address = node_address(topology, node).to_string();
        let mut hosts = vec![node.name.to_string(), address];
        let advertised = advertised_address(topology, node).to_string();
        if !hosts.contains(&advertised) {
            hosts.push(advertised);
        }
        all.push(CertificateRequest {
            hosts,
            usage: Usage::Server,
            ..client(&serving, &user, Some("system:nodes"))
        });
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

/// Every name and address under which someone dials the API server.
fn api_server_names(topology: &Topology) -> Vec<String> {
    let mut names: Vec<String> = vec![
        "kubernetes".into(),
        "kubernetes.default".into(),
        "kubernetes.default.svc".into(),
        format!("kubernetes.default.svc.{}", topology.domain),
        "localhost".into(),
    ];
    names.extend(topology.control_planes().map(|node| node.name.to_string()));
    names.push("127.0.0.1".into());
    names.push(topology.service_address(1).to_string());
    for node in topology.control_planes() {
        for address in [
            node_address(topology, node),
            advertised_address(topology, node),
        ] {
            let address = address.to_string();
            if !names.contains(&address) {
                names.push(address);
            }
        }
    }
    names
}

/// Every client's kubeconfig, sorted by name. The programs beside an API server
/// use its loopback address; the others, the address that it advertises.
pub(super) fn kubeconfigs(topology: &Topology) -> Vec<Kubeconfig> {
    let Some(control_plane) = topology.control_planes().next() else {
        return Vec::new();
    };
    let port = api_secure_port(topology);
    let local = format!("https://127.0.0.1:{port}");
    let remote = format!(
        "https://{}:{port}",
        advertised_address(topology, control_plane)
    );
    let kubeconfig = |name: &str, user: &str, server: &str| Kubeconfig {
        name: name.to_owned(),
        certificate: name.to_owned(),
        cluster: topology.name.clone(),
        user: user.to_owned(),
        server: server.to_owned(),
    };
    let mut all = vec![
        kubeconfig("admin", "admin", &remote),
        kubeconfig(
            "kube-controller-manager",
            "system:kube-controller-manager",
            &local,
        ),
        kubeconfig("kube-scheduler", "system:kube-scheduler", &local),
    ];
    if topology.cni == Cni::Bridge {
        all.push(kubeconfig("kube-proxy", "system:kube-proxy", &remote));
    }
    for node in topology.workers() {
        all.push(kubeconfig(
            &format!("kubelet-client-{}", node.name),
            &format!("system:node:{}", node.name),
            &remote,
        ));
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}
