//! `hardway pki gencert`: `cfssl gencert`, flag for flag.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow};

use super::super::print;
use super::read::file as read;
use common::report::WithHint;
use pki::cfssl::Config;
use pki::gencert;

/// Make a key and sign a certificate, as `cfssl gencert` does; prints cfssl's JSON
///
/// Flags take one dash or two, and a space or `=`, as cfssl's do. Stricter than cfssl: a
/// profile, usage or field that it does not know, and a host that is neither a DNS name, an
/// address, an e-mail address nor a URI, are errors.
#[derive(Debug, clap::Args)]
#[command(override_usage = "hardway pki gencert -initca CSR.json\n       \
                            hardway pki gencert -ca CA.pem -ca-key CA-KEY.pem [-config CONFIG.json] [-profile NAME] [-hostname LIST] CSR.json")]
pub(super) struct Args {
    /// Make a new authority, which signs itself
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, action = clap::ArgAction::Set, hide_default_value = true, hide_possible_values = true, value_name = "BOOL", conflicts_with_all = ["ca", "ca_key", "config", "profile", "hostname"])]
    initca: bool,
    /// The authority's certificate
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "initca",
        requires = "ca_key"
    )]
    ca: Option<PathBuf>,
    /// The authority's key
    #[arg(long, value_name = "FILE", requires = "ca")]
    ca_key: Option<PathBuf>,
    /// The signing profiles [default: cfssl's own: a year, for server and client]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Which of them [default: `default`]
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Names and addresses in the place of the request's, with commas between
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    hostname: Option<Vec<String>>,
    /// The request; `-` is standard input
    #[arg(value_name = "CSR.json")]
    request: PathBuf,
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let request = read(&args.request)?;
    let name = args.request.display();
    let cannot = || format!("cannot sign what {name} asks for");
    if args.initca {
        let answer = gencert::new_authority(&request).with_context(cannot)?;
        print::text(&answer.text())?;
        return Ok(ExitCode::SUCCESS);
    }
    let (Some(certificate), Some(key)) = (&args.ca, &args.ca_key) else {
        return Err(anyhow!("nobody is there to sign it"))
            .hint("give the authority: -ca CA.pem -ca-key CA-KEY.pem; or make one: -initca");
    };
    let config = match &args.config {
        Some(path) => {
            Config::parse(&read(path)?).with_context(|| format!("cannot use {}", path.display()))?
        }
        None => Config::without_file(),
    };
    let (certificate, key) = (read(certificate)?, read(key)?);
    let authority = gencert::Authority {
        certificate: &certificate,
        key: &key,
    };
    let answer = gencert::new_certificate(
        &request,
        &authority,
        &config,
        args.profile.as_deref(),
        // cfssl too takes an empty list for none.
        args.hostname.as_deref().filter(|list| *list != [""]),
    )
    .with_context(cannot)?;
    print::text(&answer.text())?;
    Ok(ExitCode::SUCCESS)
}
