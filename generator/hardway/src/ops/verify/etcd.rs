//! Encryption at rest: looked for in etcd's own files, since what the API server
//! says of them proves nothing.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use serde_json::json;

use super::workload::NAMESPACE;
use super::{Bench, Found, seen};
use crate::ops::machines::in_guest;

/// Writes a Secret and looks for its text (must be absent), and for its key with
/// Kubernetes' encryption prefix after it (must be there) below etcd's folder.
pub(super) fn secret(bench: &Bench<'_>) -> Result<Found> {
    let moment = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let nonce = format!("{:x}", moment.as_nanos());
    let name = format!("sealed-{nonce}");
    let marker = format!("plaintext-{nonce}");
    bench
        .admin
        .post(
            &format!("/api/v1/namespaces/{NAMESPACE}/secrets"),
            &json!({
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": { "name": name },
                "stringData": { "marker": marker },
            }),
        )
        .context("cannot write a Secret")?;

    let node = bench
        .plan
        .nodes
        .iter()
        .find(|node| node.components.contains_key("etcd"))
        .context("no node runs etcd")?;
    let folder = node.components["etcd"].flags["data-dir"]
        .as_str()
        .context("etcd's data-dir is no text")?;
    let grep = |options: &str, pattern: &str| {
        let script = format!("LC_ALL=C exec grep {options} -e '{pattern}' {folder}");
        in_guest(
            bench.paths,
            bench.node(&node.name)?,
            &["/bin/sh", "-c", &script],
            bench.limits.command(),
        )
    };
    // The log holds both as one record: key, a few bytes of protobuf, value. `-z`: the
    // bytes between may be a newline, and are never 0.
    let sealed = grep("-rlazE", &sealed_pattern(&name))?;
    if sealed.code != 0 {
        bail!(
            "below {folder} on {} the Secret's key has no encrypted value after it (grep: {} {})",
            node.name,
            sealed.code,
            sealed.stderr.trim()
        );
    }
    let plain = grep("-rlaF", &marker)?;
    match plain.code {
        1 => seen(format!("k8s:enc: in {folder} on {}", node.name)),
        0 => bail!("the Secret's text is readable in {}", plain.stdout.trim()),
        code => bail!(
            "grep failed on {} ({code}): {}",
            node.name,
            plain.stderr.trim()
        ),
    }
}

fn sealed_pattern(name: &str) -> String {
    format!("/registry/secrets/{NAMESPACE}/{name}.{{1,64}}k8s:enc:[a-z]+:v[0-9]+:")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes of a record as etcd's log has them: protobuf between key and value.
    #[test]
    fn grep_tells_an_encrypted_record_from_a_readable_one() {
        let folder = tempfile::tempdir().unwrap();
        let record = |value: &[u8]| {
            let mut bytes = b"\0\0\x0a\x2f/registry/secrets/hardway-verify/sealed-1".to_vec();
            bytes.extend(b"\x12\x9a\x0a\xff\xfe");
            bytes.extend(value);
            bytes.extend(b"\0\0");
            bytes
        };
        let matches = |value: &[u8]| {
            std::fs::write(folder.path().join("0.wal"), record(value)).unwrap();
            let status = std::process::Command::new("grep")
                .env("LC_ALL", "C")
                .args(["-rlazE", "-e", &sealed_pattern("sealed-1")])
                .arg(folder.path())
                .output()
                .unwrap()
                .status;
            status.success()
        };
        assert!(matches(b"k8s:enc:secretbox:v1:key1:\x01\x02"));
        assert!(matches(b"k8s:enc:aescbc:v1:key1:\x01\x02"));
        assert!(!matches(b"k8s\0\x0a\x0c\x0a\x02v1\x12\x06Secret"));
    }
}
