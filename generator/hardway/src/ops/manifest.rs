//! Manifests: YAML documents, one Kubernetes object each, and where the API server
//! keeps an object of that kind.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::Value;

use common::report::WithHint;
use kube::Client;

/// A file of hosts/addons/, ready to be applied.
#[derive(Debug)]
pub(super) struct Manifest {
    path: PathBuf,
    objects: Vec<Object>,
}

#[derive(Debug, PartialEq, Eq)]
struct Object {
    /// e.g. `ServiceAccount kube-system/coredns`
    name: String,
    /// e.g. `/api/v1/namespaces/kube-system/serviceaccounts/coredns`
    path: String,
    content: Value,
}

impl Manifest {
    pub(super) fn read(path: PathBuf) -> Result<Self> {
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}", path.display()))
            .hint("run `hardway generate`")?;
        Ok(Self {
            objects: objects(&text).with_context(|| in_file(&path))?,
            path,
        })
    }

    /// Server-side apply, object by object in the file's order: creates what is missing,
    /// and changes what differs.
    pub(super) fn apply(&self, client: &Client) -> Result<()> {
        for object in &self.objects {
            client
                .apply(&object.path, &object.content)
                .with_context(|| format!("cannot apply the {}", object.name))
                .with_context(|| in_file(&self.path))?;
        }
        Ok(())
    }
}

fn in_file(path: &Path) -> String {
    format!("{} can't be applied", path.display())
}

fn objects(text: &str) -> Result<Vec<Object>> {
    // A document keeps its last line's end: it may be part of a value (`|`).
    let documents = text.trim_end().split("\n---\n");
    documents
        .map(|document| object(&format!("{document}\n")))
        .collect()
}

/// What every object has, as far as its address needs it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    api_version: String,
    kind: String,
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
    namespace: Option<String>,
}

fn object(yaml: &str) -> Result<Object> {
    let content: Value = serde_saphyr::from_str(yaml).context("a document is no object")?;
    let head = Head::deserialize(&content).context("a document is no object")?;
    let Metadata { name, namespace } = head.metadata;
    let (plural, namespaced) = kind(&head.api_version, &head.kind)?;
    let group = match head.api_version.as_str() {
        "v1" => "/api/v1".to_owned(),
        version => format!("/apis/{version}"),
    };
    let (place, shown) = match (namespaced, namespace) {
        (true, Some(space)) => (format!("namespaces/{space}/"), format!("{space}/{name}")),
        (false, None) => (String::new(), name.clone()),
        (true, None) => bail!("the {} {name} names no namespace", head.kind),
        (false, Some(_)) => bail!("a {} has no namespace, and {name} names one", head.kind),
    };
    Ok(Object {
        name: format!("{} {shown}", head.kind),
        path: format!("{group}/{place}{plural}/{name}"),
        content,
    })
}

/// A kind's name in paths, and whether its objects live in namespaces. kubectl asks
/// the server; the kinds that we write are few and fixed.
fn kind(version: &str, kind: &str) -> Result<(&'static str, bool)> {
    Ok(match (version, kind) {
        ("apps/v1", "Deployment") => ("deployments", true),
        ("rbac.authorization.k8s.io/v1", "ClusterRole") => ("clusterroles", false),
        ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding") => ("clusterrolebindings", false),
        ("v1", "ConfigMap") => ("configmaps", true),
        ("v1", "Service") => ("services", true),
        ("v1", "ServiceAccount") => ("serviceaccounts", true),
        _ => bail!("hardway does not know where objects of kind {kind} ({version}) are kept"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::report::render;
    use model::plan::{plan, sample};
    use model::topology::{Cni, NetworkMode};

    fn generated(name: &str) -> Vec<Object> {
        let topology = sample::topology(Cni::Bridge, NetworkMode::Segment);
        let files = crate::render::rendered(&topology, &plan(&topology), Path::new("/c")).unwrap();
        objects(&files[Path::new("addons").join(name).as_path()]).unwrap()
    }

    #[test]
    fn every_object_that_generate_writes_has_its_place() {
        let paths = |name| -> Vec<String> {
            generated(name)
                .into_iter()
                .map(|object| object.path)
                .collect()
        };
        assert_eq!(
            paths("rbac.yaml"),
            [
                "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/hardway:cluster-admins",
                "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/hardway:kubelet-api-admin",
            ]
        );
        assert_eq!(
            paths("coredns.yaml"),
            [
                "/api/v1/namespaces/kube-system/serviceaccounts/coredns",
                "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:coredns",
                "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/system:coredns",
                "/api/v1/namespaces/kube-system/configmaps/coredns",
                "/apis/apps/v1/namespaces/kube-system/deployments/coredns",
                "/api/v1/namespaces/kube-system/services/kube-dns",
            ]
        );
    }

    #[test]
    fn a_value_of_several_lines_keeps_its_end() {
        let map = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  namespace: b\n\
                   data:\n  c: |\n    d\n";
        let twice = objects(&format!("{map}---\n{map}")).unwrap();
        assert_eq!(twice.len(), 2);
        assert!(
            twice
                .iter()
                .all(|object| object.content["data"]["c"] == "d\n"),
            "{twice:?}"
        );
    }

    #[test]
    fn what_can_t_be_placed_is_refused_by_name() {
        let refused = |yaml| render(&objects(yaml).unwrap_err());
        assert_eq!(
            refused("apiVersion: v1\nkind: Secret\nmetadata:\n  name: a\n"),
            "error: hardway does not know where objects of kind Secret (v1) are kept\n"
        );
        assert_eq!(
            refused("apiVersion: v1\nkind: Service\nmetadata:\n  name: a\n"),
            "error: the Service a names no namespace\n"
        );
        assert!(refused("- 1\n").starts_with("error: a document is no object\ncaused by: "));
    }
}
