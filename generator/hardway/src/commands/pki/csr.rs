//! `hardway pki csr`: ask an authority whose key is elsewhere.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, anyhow};

use super::super::{Global, print};
use crate::ops::lock;
use common::file;
use common::report::WithHint;
use model::plan::plan;
use pki::{self, Request};

/// Write requests (PKCS#10) for an authority whose key is elsewhere; `accept` takes what it signs
///
/// Subject, names and usages are those of hosts/pki/*.json, so the authority has to copy the
/// request's extensions: openssl x509 -req -copy_extensions copy. The key is the one that is there,
/// if it suits, or a new one, which waits in .hardway/requests until its certificate is accepted.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// As `hardway pki show` names them; or `bootstrap`, once for `hardway up` [default: all that
    /// are to be signed elsewhere]
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// All that are to be signed elsewhere, as without a name
    #[arg(long, conflicts_with = "names")]
    all: bool,
    /// Where to write one request [default: it is printed]; or, for several, the folder [default:
    /// .hardway/requests]
    #[arg(long, value_name = "PATH")]
    out: Option<PathBuf>,
    /// Print them as JSON, and write no request to a file
    #[arg(long, conflicts_with = "out")]
    json: bool,
}

/// Requests are for everybody.
const PUBLIC: u32 = 0o644;

pub(super) fn run(global: &Global, args: &Args) -> Result<ExitCode> {
    let (paths, topology) = global.cluster()?;
    let plan = plan(&topology);
    let requests = lock::hold(&paths, "pki csr", || {
        pki::request(&plan, &paths, &args.names)
    })?;
    if args.json {
        print::json(&requests)?;
        return Ok(ExitCode::SUCCESS);
    }
    if let ([one], [_]) = (&requests[..], &args.names[..]) {
        match &args.out {
            None => print::text(&one.pem)?,
            Some(out) if out.is_dir() => {
                return Err(anyhow!("{} is a folder", out.display()))
                    .hint("name a file: --out FILE");
            }
            Some(out) => file::replace(out, one.pem.as_bytes(), PUBLIC)?,
        }
        eprint!("{}", next(&requests));
        return Ok(ExitCode::SUCCESS);
    }
    if requests.is_empty() {
        print::text(match topology.external_authorities.is_empty() {
            true => "nothing to ask for: every authority's key is on this host\n",
            false => "nothing to ask for: all that is signed elsewhere is here and will do\n",
        })?;
        return Ok(ExitCode::SUCCESS);
    }
    let folder = match &args.out {
        Some(out) => out.clone(),
        None => paths.requests(),
    };
    let mut text = String::new();
    for one in &requests {
        let path = folder.join(format!("{}.csr", one.name));
        file::replace(&path, one.pem.as_bytes(), mode(&folder, &paths.requests()))?;
        text += &format!("wrote {}\n", path.display());
    }
    print::text(&text)?;
    eprint!("{}", next(&requests));
    Ok(ExitCode::SUCCESS)
}

/// In the state folder everything is its owner's alone.
fn mode(folder: &Path, private: &Path) -> u32 {
    match folder == private {
        true => file::PRIVATE,
        false => PUBLIC,
    }
}

/// Who is to sign what, and what to do then.
fn next(requests: &[Request]) -> String {
    let mut by_authority: BTreeMap<_, Vec<&str>> = BTreeMap::new();
    for one in requests {
        by_authority
            .entry(one.authority)
            .or_default()
            .push(&one.name);
    }
    let mut text = String::new();
    for (authority, names) in by_authority {
        text += &format!(
            "to be signed by {}: {}\n",
            authority.stem(),
            names.join(", ")
        );
    }
    let name = match requests {
        [one] => &one.name,
        _ => "NAME",
    };
    text += &format!("then: hardway pki accept {name} FILE\n");
    text
}
