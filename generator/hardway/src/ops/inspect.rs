//! `hardway pki verify --node`: what of the PKI is on a running node, asked of the node
//! itself through its guest agent. No key and no kubeconfig leaves it: only their sums.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::machines;
use super::wait::printable;
use common::state::Paths;
use model::plan::{self, PKI_FOLDER};
use model::topology::Topology;
use pki::{self, Judgement, NodeFile, OnNode};

/// A line for each file, certificate and unit; systemd names a start in seconds since 1970.
const LOOK: &str = r#"set -eu
export PATH=/run/current-system/sw/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
echo "now $(date +%s)"
cd "$1"
shift
for file in *; do
  [ -f "$file" ] || continue
  sum=$(sha256sum <"$file")
  echo "file $file $(stat -c '%a %U %Y' "$file") ${sum%% *}"
  case $file in
    *-key.pem) ;;
    *.pem) echo "certificate $file $(base64 -w0 <"$file")" ;;
  esac
done
for unit; do
  started=$(systemctl show --timestamp=unix --property=ExecMainStartTimestamp --value "$unit.service")
  systemctl is-active --quiet "$unit.service" || continue
  echo "unit $unit ${started#@}"
done"#;

/// Judges what is on the node of this name; an expiry within `days` is wrong too.
pub fn inspect(
    paths: &Paths,
    topology: &Topology,
    name: &str,
    days: u32,
) -> Result<Vec<Judgement>> {
    let node = machines::named(topology, name)?;
    machines::reachable(paths, node)?;
    let plan = plan::plan(topology);
    let own = plan.nodes.iter().find(|plan| plan.name == node.name);
    let own = own.with_context(|| format!("the plan has no node {name}"))?;
    let mut command = vec!["/bin/sh", "-c", LOOK, "sh", PKI_FOLDER];
    command.extend(own.components.keys().map(String::as_str));
    let limit = machines::limits(paths)?.command();
    let output = machines::in_guest(paths, node, &command, limit)?;
    anyhow::ensure!(
        output.code == 0,
        "cannot look at {PKI_FOLDER} on {name}: {}",
        printable(output.stderr.trim())
    );
    let found =
        read(&output.stdout).with_context(|| format!("{name} gave no answer that can be read"))?;
    let host = pki::node_files(own, paths)?
        .into_iter()
        .map(|(name, bytes)| (name, hex::encode(Sha256::digest(&bytes))))
        .collect();
    pki::judge_node(&plan, own, &found, &host, days)
}

/// What the script prints.
fn read(text: &str) -> Result<OnNode> {
    let mut found = OnNode::default();
    let mut certificates = BTreeMap::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["now", now] => found.now = now.parse()?,
            ["file", name, mode, owner, changed, sha256] => {
                let file = NodeFile {
                    mode: u32::from_str_radix(mode, 8)?,
                    owner: printable(owner),
                    changed: changed.parse()?,
                    sha256: sha256.to_owned(),
                    certificate: None,
                };
                found.files.insert(printable(name), file);
            }
            ["certificate", name, base64] => {
                certificates.insert(printable(name), STANDARD.decode(base64)?);
            }
            ["unit", name, started] => {
                found.started.insert(name.to_owned(), started.parse()?);
            }
            _ => anyhow::bail!("this line is none: {}", printable(line)),
        }
    }
    for (name, bytes) in certificates {
        if name == "service-account.pem" {
            continue;
        }
        if let Some(file) = found.files.get_mut(&name) {
            file.certificate = Some(bytes);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::plan::{Plan, sample};
    use model::topology::{Cni, NetworkMode};
    use pki::{Asked, ensure, requests};

    /// A node with exactly this host's files, all components started a second later.
    fn made() -> (tempfile::TempDir, Plan, OnNode, BTreeMap<String, String>) {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::new(folder.path());
        let plan = plan::plan(&sample::topology(Cni::Bridge, NetworkMode::Segment));
        let asked = Asked::parse(&plan, &requests(&plan)).unwrap();
        ensure(&plan, &asked, &paths).unwrap();
        let now = time::OffsetDateTime::now_utc().unix_timestamp();
        let node = &plan.nodes[0];
        let mut found = OnNode {
            now,
            ..OnNode::default()
        };
        let mut host = BTreeMap::new();
        for (name, bytes) in pki::node_files(node, &paths).unwrap() {
            let sum = hex::encode(Sha256::digest(&bytes));
            host.insert(name.clone(), sum.clone());
            let public = name.ends_with(".pem") && !name.ends_with("-key.pem");
            let file = NodeFile {
                mode: if public { 0o644 } else { 0o600 },
                owner: node.pki[&name].user.clone(),
                changed: now - 10,
                sha256: sum,
                certificate: (public && name != "service-account.pem").then(|| bytes.to_vec()),
            };
            found.files.insert(name, file);
        }
        let started = node.components.keys().map(|name| (name.clone(), now - 9));
        found.started = started.collect();
        (folder, plan, found, host)
    }

    #[test]
    fn a_node_with_this_hosts_files_is_well_and_every_fault_is_told() {
        let (_folder, plan, mut found, host) = made();
        let judge = |found: &OnNode| {
            let all = pki::judge_node(&plan, &plan.nodes[0], found, &host, 30).unwrap();
            let wrong = all.into_iter().filter(|one| !one.passed);
            wrong
                .map(|one| format!("{}: {}", one.check, one.detail.join("; ")))
                .collect::<Vec<_>>()
        };
        assert_eq!(judge(&found), [""; 0]);

        let late = found.now - 8;
        let serving = found.files.get_mut("kubelet-serving-east.pem").unwrap();
        serving.changed = late;
        assert_eq!(
            judge(&found),
            ["readers: kubelet started before kubelet-serving-east.pem came"]
        );
        let key = found.files.get_mut("kubelet-serving-east-key.pem").unwrap();
        (key.mode, key.owner) = (0o640, "nobody".into());
        found.files.remove("kubelet-serving-east.pem");
        let old = found.files["kubelet-serving-east-key.pem"].clone();
        found.files.insert("old-key.pem".into(), old);
        assert_eq!(
            judge(&found),
            [
                "files: kubelet-serving-east.pem: it is not there; old-key.pem: nothing asks for it",
                "readers' rights: kubelet-serving-east-key.pem is nobody's, not root's; \
                 kubelet-serving-east-key.pem has the mode 0640",
            ]
        );
        found.now += 3600 * 24 * 350;
        assert!(
            judge(&found)
                .iter()
                .all(|line| !line.starts_with("expiry: ca.pem"))
        );
    }

    #[test]
    fn an_answer_is_read_and_nonsense_is_refused() {
        let found = read(
            "now 1790000000\nfile ca.pem 644 root 1789999999 ab12\ncertificate ca.pem QUJD\n\
             file kubelet-key.pem 600 root 5 ff\nunit kubelet 1789999990\n",
        )
        .unwrap();
        assert_eq!(
            found.files["ca.pem"].certificate.as_deref(),
            Some(&b"ABC"[..])
        );
        assert_eq!(found.files["ca.pem"].mode, 0o644);
        assert_eq!(found.files["kubelet-key.pem"].certificate, None);
        assert_eq!(found.started["kubelet"], 1_789_999_990);
        assert!(read("file a b\n").is_err());
    }
}
