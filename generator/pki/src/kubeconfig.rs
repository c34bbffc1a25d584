//! Kubeconfigs: where the API server is, and the certificate to show it. All is
//! embedded, so that the file works wherever it is copied.

use anyhow::Result;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;
use zeroize::Zeroizing;

use super::identity::admin_identity;
use super::store;
use common::state::Paths;
use model::plan::Kubeconfig;
use model::topology::Topology;

/// A kubeconfig's text; the same input always gives the same bytes.
pub(super) fn text(
    kubeconfig: &Kubeconfig,
    authority_pem: &str,
    certificate_pem: &str,
    key_pem: &str,
) -> Zeroizing<String> {
    // JSON's quoting is YAML's too, and keeps a cluster named `true` or `1e3` a string.
    let quoted = |text: &str| json!(text).to_string();
    let key = Zeroizing::new(STANDARD.encode(key_pem));
    Zeroizing::new(format!(
        "\
apiVersion: v1
kind: Config
clusters:
  - name: {cluster}
    cluster:
      server: {server}
      certificate-authority-data: {authority}
users:
  - name: {user}
    user:
      client-certificate-data: {certificate}
      client-key-data: {key}
contexts:
  - name: {cluster}
    context:
      cluster: {cluster}
      user: {user}
current-context: {cluster}
",
        cluster = quoted(&kubeconfig.cluster),
        server = quoted(&kubeconfig.server),
        user = quoted(&kubeconfig.user),
        authority = STANDARD.encode(authority_pem),
        certificate = STANDARD.encode(certificate_pem),
        key = key.as_str(),
    ))
}

/// Writes the administrator's kubeconfig for the host, which reaches the API
/// server through the port forwarded on its loopback.
pub fn host_kubeconfig(topology: &Topology, paths: &Paths) -> Result<()> {
    let admin = admin_identity(paths)?;
    let text = text(
        &of_host(topology, "admin"),
        &admin.ca_pem,
        &admin.certificate_pem,
        &admin.key_pem,
    );
    store::update(&paths.kubeconfig(), text.as_bytes())?;
    Ok(())
}

/// Where this host reaches the API server, as `user`.
pub(super) fn of_host(topology: &Topology, user: &str) -> Kubeconfig {
    Kubeconfig {
        name: "kubeconfig".to_owned(),
        certificate: user.to_owned(),
        cluster: topology.name.clone(),
        user: user.to_owned(),
        server: host_server(topology),
    }
}

/// Where the API server's port is forwarded to on this host.
pub fn host_server(topology: &Topology) -> String {
    format!("https://127.0.0.1:{}", topology.api_port)
}
