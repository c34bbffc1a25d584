//! The command line: one file a verb, each with its `Args` and its `run`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::report;

mod generate;
mod init;
mod install;
mod schema;

/// Kubernetes the hard way, on virtual machines, in one command.
#[derive(Debug, Parser)]
#[command(name = "hardway", version, propagate_version = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    verb: Verb,
}

/// What every verb takes.
#[derive(Debug, clap::Args)]
pub struct Global {
    /// The cluster's folder [default: the nearest folder upwards with a cluster.json]
    #[arg(long, global = true, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Generate(generate::Args),
    Init(init::Args),
    Install(install::Args),
    Schema(schema::Args),
}

/// Runs the program; the exit code is 0 done, 1 failed, 2 usage, 130 interrupted.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(report::USAGE));
        }
    };
    let global = &cli.global;
    let result: anyhow::Result<ExitCode> = match &cli.verb {
        Verb::Generate(args) => generate::run(global, args),
        Verb::Init(args) => init::run(global, args),
        Verb::Install(args) => install::run(global, args),
        Verb::Schema(args) => schema::run(global, args),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprint!("{}", report::render(&error));
            report::exit_code(&error)
        }
    }
}
