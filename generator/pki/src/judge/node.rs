//! What is on a running node, judged: its own files against this host's, and whether those
//! who read them have started since they came.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use time::{Duration, OffsetDateTime};

use super::Judgement;
use crate::found::{certificates, check_signature, check_validity};
use crate::show::chain;
use crate::uses::Readers;
use model::plan::{NodePlan, Plan};

/// A file in a node's /var/lib/hardway/pki. Of a key or kubeconfig, its sum alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeFile {
    pub mode: u32,
    pub owner: String,
    /// When its content came: seconds since 1970. What the installer laid out is as old as
    /// its tarball says, which is older than any start.
    pub changed: i64,
    pub sha256: String,
    /// A certificate's text.
    pub certificate: Option<Vec<u8>>,
}

/// What a node answers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OnNode {
    pub files: BTreeMap<String, NodeFile>,
    /// When each component was started: seconds since 1970; none where it does not run.
    pub started: BTreeMap<String, i64>,
    /// The node's own clock.
    pub now: i64,
}

/// Judges what is on `node`. `host`: the sums of the files that should be there.
pub fn judge_node(
    plan: &Plan,
    node: &NodePlan,
    found: &OnNode,
    host: &BTreeMap<String, String>,
    days: u32,
) -> Result<Vec<Judgement>> {
    let now = OffsetDateTime::from_unix_timestamp(found.now).context("the node's clock")?;
    Ok(vec![
        files(node, found, host),
        chains(plan, node, found),
        expiry(node, found, now, Duration::days(i64::from(days))),
        owners(node, found),
        readers(plan, node, found),
    ])
}

fn apply(node: &NodePlan) -> String {
    format!("hardway apply {}", node.name)
}

fn files(node: &NodePlan, found: &OnNode, host: &BTreeMap<String, String>) -> Judgement {
    let mut wrong = Vec::new();
    for (name, sum) in host {
        match found.files.get(name) {
            None => wrong.push(format!("{name}: it is not there")),
            Some(file) if file.sha256 != *sum => {
                wrong.push(format!("{name}: it is not this host's{}", said(file)));
            }
            Some(_) => {}
        }
    }
    let strange = found.files.keys().filter(|name| !host.contains_key(*name));
    wrong.extend(strange.map(|name| format!("{name}: nothing asks for it")));
    let well = format!("{} files, each the same as on this host", host.len());
    Judgement::new("files", wrong, well, &apply(node))
}

/// What a certificate says of itself.
fn said(file: &NodeFile) -> String {
    let told = || -> Result<String> {
        let bytes = file.certificate.as_deref().context("no certificate")?;
        let pem = certificates(bytes)?.into_iter().next().context("none")?;
        let found = pem.parse_x509()?;
        let until = found.validity().not_after.to_datetime().date();
        Ok(format!(" ({}, until {until})", found.subject()))
    };
    told().unwrap_or_default()
}

/// Each leaf against the authorities that the node itself trusts.
fn chains(plan: &Plan, node: &NodePlan, found: &OnNode) -> Judgement {
    let (mut wrong, mut count) = (Vec::new(), 0);
    for leaf in &plan.certificates {
        let Some(bytes) = certificate(found, &leaf.name) else {
            continue;
        };
        count += 1;
        let look = || -> Result<()> {
            let roots = certificate(found, leaf.authority.stem())
                .with_context(|| format!("{}.pem is not there", leaf.authority.stem()))?;
            let roots = certificates(roots).context(leaf.authority.stem())?;
            let pem = certificates(bytes)?.into_iter().next().context("none")?;
            let parsed = pem.parse_x509()?;
            let signed = roots.iter().any(|root| {
                root.parse_x509()
                    .is_ok_and(|root| check_signature(&parsed, &root).is_ok())
            });
            ensure!(signed, "nobody whom the node trusts has signed it");
            Ok(())
        };
        wrong.extend(
            look()
                .err()
                .map(|error| format!("{}: {}", leaf.name, chain(&error))),
        );
    }
    let well = format!("{count} certificates, each signed by an authority that the node trusts");
    Judgement::new("chains", wrong, well, &apply(node))
}

fn certificate<'a>(found: &'a OnNode, name: &str) -> Option<&'a [u8]> {
    found
        .files
        .get(&format!("{name}.pem"))?
        .certificate
        .as_deref()
}

fn expiry(node: &NodePlan, found: &OnNode, now: OffsetDateTime, left: Duration) -> Judgement {
    let mut first: Option<(OffsetDateTime, &str)> = None;
    let mut wrong = Vec::new();
    for (name, file) in &found.files {
        let Some(bytes) = &file.certificate else {
            continue;
        };
        let mut look = || -> Result<()> {
            for pem in certificates(bytes)? {
                let parsed = pem.parse_x509().context("its certificate is unusable")?;
                let until = parsed.validity().not_after.to_datetime();
                first = first.into_iter().chain([(until, name.as_str())]).min();
                check_validity(&parsed, now, left)?;
            }
            Ok(())
        };
        wrong.extend(
            look()
                .err()
                .map(|error| format!("{name}: {}", chain(&error))),
        );
    }
    let well = first.map_or_else(String::new, |(until, name)| {
        let days = (until - now).whole_days();
        format!(
            "by its own clock, the first to expire is {name}, on {} ({days} days)",
            until.date()
        )
    });
    let remedy = format!("hardway pki verify; then {}", apply(node));
    Judgement::new("expiry", wrong, well, &remedy)
}

/// A certificate may be read by all; everything else by its reader alone.
fn owners(node: &NodePlan, found: &OnNode) -> Judgement {
    let mut wrong = Vec::new();
    for (name, reader) in &node.pki {
        let Some(file) = found.files.get(name) else {
            continue;
        };
        if file.owner != reader.user {
            wrong.push(format!("{name} is {}'s, not {}'s", file.owner, reader.user));
        }
        let open = if is_public(name) { 0o022 } else { 0o077 };
        if file.mode & open != 0 {
            wrong.push(format!("{name} has the mode {:04o}", file.mode));
        }
    }
    let well = format!(
        "{} files, each its reader's, and no key open to others",
        node.pki.len()
    );
    let remedy = format!(
        "hardway ssh {} sudo systemctl reload-or-restart hardway-pki",
        node.name
    );
    Judgement::new("readers' rights", wrong, well, &remedy)
}

/// As in modules/render/pki.nix.
fn is_public(name: &str) -> bool {
    let pem = name.strip_suffix(".pem");
    pem.is_some_and(|stem| !stem.ends_with("-key"))
}

/// Who reads a file has started since it came; before that it goes on with the old one.
fn readers(plan: &Plan, node: &NodePlan, found: &OnNode) -> Judgement {
    let all = Readers::of(plan);
    let (mut wrong, mut late, mut count) = (Vec::new(), Vec::new(), 0);
    for (name, file) in &found.files {
        let readers = all.read(std::slice::from_ref(name));
        let own = readers.iter().filter(|one| one.node == node.name.as_str());
        for component in own.flat_map(|one| &one.components) {
            count += 1;
            match found.started.get(component) {
                None => wrong.push(format!("{component} does not run, and reads {name}")),
                Some(started) if *started < file.changed => {
                    wrong.push(format!("{component} started before {name} came"));
                }
                Some(_) => continue,
            }
            late.push(component.clone());
        }
    }
    late.sort();
    late.dedup();
    let well = format!("{count} uses, each by a component that started since its file came");
    let remedy = format!(
        "hardway ssh {} sudo systemctl restart {}",
        node.name,
        late.join(" ")
    );
    Judgement::new("readers", wrong, well, &remedy)
}
