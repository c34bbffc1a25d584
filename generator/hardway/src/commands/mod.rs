//! The command line: one file a verb, each with its `Args` and its `run`.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::render::template;
use common::exposure;
use common::report;
use common::state::Paths;
use model::topology::{self, Topology};

mod apply;
mod bootstrap;
mod completions;
mod confirm;
mod console;
mod destroy;
mod doctor;
mod down;
mod events;
mod explain;
mod export;
mod fit;
mod generate;
mod init;
mod install;
mod kubectl;
mod lint;
mod logs;
mod man;
mod manners;
mod medium;
mod network;
mod pki;
mod print;
mod reference;
mod reset;
mod restore;
mod schema;
mod snapshot;
mod ssh;
mod status;
mod top;
mod up;
mod verify;

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
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "HARDWAY_DIR",
        hide_env_values = true
    )]
    pub dir: Option<PathBuf>,
}

impl Global {
    /// The cluster that is meant, as its files describe it now.
    fn cluster(&self) -> anyhow::Result<(Paths, Topology)> {
        let paths = topology::find(self.dir.as_deref())?;
        if template::unfilled(&paths.dir) {
            eprintln!(
                "warning: {} has OWNER in inputs.hardway.url still, so Nix cannot evaluate it\n\
                 hint: {}",
                paths.dir.join("flake.nix").display(),
                template::hint(&paths.dir)
            );
        }
        let topology = topology::load(&paths)?;
        Ok((paths, topology))
    }

    /// `hardway` as a person types it to mean the same cluster: with --dir where it was given.
    fn typed(&self) -> String {
        typed(
            self.dir.as_deref(),
            std::env::var_os("HARDWAY_DIR").as_deref(),
        )
    }

    /// Whatever is done with a cluster whose keys Nix or git would copy.
    fn warn_of_exposed_keys(&self, verb: &Verb) {
        if matches!(
            verb,
            Verb::Init(_) | Verb::Schema(_) | Verb::Completions(_) | Verb::Man(_)
        ) {
            return;
        }
        // Where there is no cluster, the verb says so.
        let Ok(paths) = topology::find(self.dir.as_deref()) else {
            return;
        };
        if let Some(warning) = exposure::warning(&paths) {
            eprintln!("{warning}");
        }
    }
}

/// `hardway` for the folder `dir`, which may be what the variable HARDWAY_DIR holds.
fn typed(dir: Option<&Path>, variable: Option<&OsStr>) -> String {
    match dir {
        Some(dir) if variable != Some(dir.as_os_str()) => {
            let dir = dir.to_string_lossy();
            let quoted = shlex::try_quote(&dir).unwrap_or(Cow::Borrowed(&dir));
            format!("hardway --dir {quoted}")
        }
        _ => "hardway".to_owned(),
    }
}

/// The list of verbs: each is a file here, with the `Args` that clap reads and the `run`
/// that does it. `--help`, completions, docs/cli.md and the flake's apps go by it.
macro_rules! verbs {
    ($($name:ident => $file:ident,)*) => {
        #[derive(Debug, Subcommand)]
        enum Verb {
            $($name($file::Args),)*
        }

        impl Verb {
            fn run(&self, global: &Global) -> anyhow::Result<ExitCode> {
                match self {
                    $(Self::$name(args) => $file::run(global, args),)*
                }
            }
        }
    };
}

verbs! {
    Init => init,
    Schema => schema,
    Generate => generate,
    Lint => lint,
    Explain => explain,
    Medium => medium,
    Install => install,
    Up => up,
    Apply => apply,
    Doctor => doctor,
    Export => export,
    Bootstrap => bootstrap,
    Network => network,
    Pki => pki,
    Verify => verify,
    Status => status,
    Events => events,
    Logs => logs,
    Console => console,
    Ssh => ssh,
    Top => top,
    Kubectl => kubectl,
    Snapshot => snapshot,
    Restore => restore,
    Reset => reset,
    Down => down,
    Destroy => destroy,
    Completions => completions,
    Man => man,
    Reference => reference,
}

/// Runs the program; the exit code is 0 done, 1 failed, 2 usage, 130 interrupted.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(pki::as_cfssl_takes_it(args)) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(report::USAGE));
        }
    };
    let global = &cli.global;
    global.warn_of_exposed_keys(&cli.verb);
    match cli.verb.run(global) {
        Ok(code) => code,
        Err(error) => {
            if let Some(report::Quiet(code)) = error.downcast_ref() {
                return ExitCode::from(*code);
            }
            eprint!("{}", report::render(&error));
            report::exit_code(&error)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_to_type_names_the_folder_that_was_given() {
        let typed = |dir: Option<&str>, variable: Option<&str>| {
            typed(dir.map(Path::new), variable.map(OsStr::new))
        };
        assert_eq!(typed(None, None), "hardway");
        assert_eq!(typed(Some("one"), None), "hardway --dir one");
        assert_eq!(typed(Some("my own"), Some("one")), "hardway --dir 'my own'");
        assert_eq!(typed(Some("one"), Some("one")), "hardway");
    }
}
