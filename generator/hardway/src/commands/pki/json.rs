//! `hardway pki json`: `cfssljson`: cfssl's JSON → files.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow};

use super::super::print;
use common::exposure;
use common::file;
use common::report::WithHint;
use pki::{self, cfssl::Answer};

/// Write what `gencert` printed into files, as `cfssljson` does: NAME.pem, NAME-key.pem, NAME.csr
#[derive(Debug, clap::Args)]
#[command(override_usage = "hardway pki gencert … | hardway pki json -bare NAME")]
pub(super) struct Args {
    /// For cfssljson's sake: what comes from `gencert` and from a server is told apart anyway
    #[arg(long)]
    bare: bool,
    /// What to read; `-` is standard input
    #[arg(short, value_name = "FILE", default_value = "-")]
    file: PathBuf,
    /// Print it, and write no files
    #[arg(long)]
    stdout: bool,
    /// What the files' names begin with
    #[arg(default_value = "cert")]
    name: PathBuf,
}

/// Certificates and requests are for everybody, as cfssljson has it.
const PUBLIC: u32 = 0o644;

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let path = &args.file;
    let text = if path == Path::new("-") {
        pki::read(std::io::stdin().lock())
    } else {
        File::open(path)
            .map_err(|error| anyhow!("{error}"))
            .and_then(pki::read)
    };
    let answer = text
        .and_then(|text| Answer::parse(&text))
        .with_context(|| match path == Path::new("-") {
            true => "cannot use what standard input has".to_owned(),
            false => format!("cannot use {}", path.display()),
        })
        .hint("give it what cfssl printed: hardway pki gencert … | hardway pki json -bare NAME")?;
    let parts = [
        (".pem", answer.certificate.as_deref(), PUBLIC),
        (
            "-key.pem",
            answer.key.as_ref().map(|key| key.as_str()),
            file::PRIVATE,
        ),
        (".csr", answer.request.as_deref(), PUBLIC),
    ];
    for (ending, text, mode) in parts {
        let Some(text) = text else { continue };
        if args.stdout {
            print::text(text)?;
            continue;
        }
        let mut name = args.name.clone().into_os_string();
        name.push(ending);
        if mode == file::PRIVATE {
            exposure::refuse(Path::new(&name))?;
        }
        file::replace(Path::new(&name), text.as_bytes(), mode)?;
    }
    Ok(ExitCode::SUCCESS)
}
