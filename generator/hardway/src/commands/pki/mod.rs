//! `hardway pki`: look at certificates, judge them, renew them; and cfssl's own commands.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

use super::Global;
use pki::Use;

mod accept;
mod break_glass;
mod csr;
mod gencert;
mod import;
mod json;
mod read;
mod renew;
mod rotate_ca;
mod show;
mod verify;

/// Look at the certificates, judge and renew them; sign as cfssl does
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Show(show::Args),
    Verify(verify::Args),
    Renew(renew::Args),
    RotateCa(rotate_ca::Args),
    Import(import::Args),
    Csr(csr::Args),
    Accept(accept::Args),
    BreakGlass(break_glass::Args),
    Gencert(gencert::Args),
    Json(json::Args),
}

pub(super) fn run(global: &Global, args: &Args) -> Result<ExitCode> {
    match &args.action {
        Action::Show(args) => show::run(global, args),
        Action::Verify(args) => verify::run(global, args),
        Action::Renew(args) => renew::run(global, args),
        Action::RotateCa(args) => rotate_ca::run(global, args),
        Action::Import(args) => import::run(global, args),
        Action::Csr(args) => csr::run(global, args),
        Action::Accept(args) => accept::run(global, args),
        Action::BreakGlass(args) => break_glass::run(global, args),
        Action::Gencert(args) => gencert::run(args),
        Action::Json(args) => json::run(args),
    }
}

/// The components that have to start again, by node.
type Restarts<'a> = BTreeMap<&'a str, BTreeSet<&'a str>>;

fn restarts<'a>(used: impl IntoIterator<Item = &'a Use>) -> Restarts<'a> {
    let mut units = Restarts::new();
    for one in used {
        let components = one.components.iter().map(|name| &**name);
        units.entry(&one.node).or_default().extend(components);
    }
    units
}

/// The command line with cfssl's flags as this program's: `-ca` and `-ca=x` become `--ca`
/// and `--ca=x`, after `pki gencert` and `pki json` alone.
pub(super) fn as_cfssl_takes_it(args: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut args: Vec<OsString> = args.into_iter().collect();
    let at = args.windows(2).position(|pair| {
        pair[0] == "pki" && ["gencert", "json"].iter().any(|verb| pair[1] == **verb)
    });
    let from = at.map_or(args.len(), |at| at + 2);
    for arg in &mut args[from..] {
        let long = arg.to_str().is_some_and(|text| {
            let name = text.strip_prefix('-').unwrap_or_default();
            name.starts_with(|c: char| c.is_ascii_lowercase()) && name.len() > 1
        });
        if long {
            let mut two = OsString::from("-");
            two.push(&*arg);
            *arg = two;
        }
    }
    args
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_with_one_dash_are_cfssls_and_nobody_elses() {
        let line = |text: &str| -> String {
            let args = as_cfssl_takes_it(text.split(' ').map(OsString::from));
            let words: Vec<&str> = args.iter().filter_map(|arg| arg.to_str()).collect();
            words.join(" ")
        };
        assert_eq!(
            line("hardway pki gencert -ca=ca.pem -ca-key k.pem --config c -profile p -"),
            "hardway pki gencert --ca=ca.pem --ca-key k.pem --config c --profile p -"
        );
        assert_eq!(
            line("hardway pki json -f x -bare n"),
            "hardway pki json -f x --bare n"
        );
        assert_eq!(
            line("hardway --dir pki kubectl -owide"),
            "hardway --dir pki kubectl -owide"
        );
    }
}
