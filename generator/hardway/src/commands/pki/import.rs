//! `hardway pki import`: take over the PKI of a cluster that there is.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use serde_json::json;

use super::super::{Global, print};
use crate::ops::{import, lock};
use model::plan::plan;
use pki::Imported;

/// Take over the authorities of an existing cluster: cfssl's files, or kubeadm's
///
/// Authorities and the key pair of service accounts are taken over, and certificates that are
/// exactly what hosts/pki asks for; `hardway generate` issues the others anew. An authority whose
/// key stays elsewhere is named in cluster.json's externalAuthorities.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The folder: with ca.pem, ca-key.pem and so on; or kubeadm's /etc/kubernetes/pki
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Write nothing; say what would be taken over
    #[arg(long)]
    dry_run: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(global: &Global, args: &Args) -> Result<ExitCode> {
    let (paths, topology) = global.cluster()?;
    let plan = plan(&topology);
    let folder = std::path::absolute(&args.folder)
        .with_context(|| format!("cannot tell where {} is", args.folder.display()))?;
    let import = || import::import(&plan, &paths, &folder, args.dry_run);
    let found = match args.dry_run {
        true => import()?,
        false => lock::hold(&paths, "pki import", import)?,
    };
    if args.json {
        let mut value = json!(found);
        value["written"] = json!(!args.dry_run);
        print::json(&value)?;
    } else {
        print::text(&text(&found, args.dry_run))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn text(found: &Imported, dry_run: bool) -> String {
    let verb = if dry_run { "would take" } else { "took" };
    let mut text = format!("{verb} over from {}'s layout:\n", found.layout);
    text += &list(&found.taken);
    if !found.without_key.is_empty() {
        text += &format!(
            "the certificate alone, the key is elsewhere: {}\n",
            found.without_key.join(", ")
        );
    }
    if !found.kept.is_empty() {
        text += &format!("not there, and kept as here: {}\n", found.kept.join(", "));
    }
    if !found.made.is_empty() {
        text += &format!(
            "not there, and made by `hardway generate`: {}\n",
            found.made.join(", ")
        );
    }
    text += &reasons("issued anew by `hardway generate`", &found.anew);
    text += &reasons("to be signed elsewhere", &found.to_sign);
    text += match (dry_run, found.to_sign.is_empty()) {
        (true, _) => "",
        (false, true) => "next: hardway generate\n",
        (false, false) => "next: hardway generate; hardway pki csr\n",
    };
    text
}

fn list(names: &[String]) -> String {
    names.iter().map(|name| format!("  {name}\n")).collect()
}

fn reasons(title: &str, all: &BTreeMap<String, String>) -> String {
    if all.is_empty() {
        return String::new();
    }
    let lines = all.iter().map(|(name, why)| format!("  {name}: {why}\n"));
    format!("{title}:\n{}", lines.collect::<String>())
}
