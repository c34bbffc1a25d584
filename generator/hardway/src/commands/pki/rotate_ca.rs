//! `hardway pki rotate-ca`: an authority makes way for a new one.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use serde_json::json;

use super::super::apply::Told;
use super::super::{Global, print};
use super::restarts;
use crate::ops::apply::{Change, Listener};
use crate::ops::rotate::{self, Done, Watcher};
use crate::ops::verify::Outcome;
use model::plan::Authority;
use pki::{Step, authority_named};

/// Replace an authority and all that it signed, in three steps in which nothing breaks
///
/// 1: everyone trusts the old one and a new one. 2: the new one issues everything anew.
/// 3: the old one is trusted by nobody any more. Every machine must have what one step made
/// before the next: `hardway apply` after each brings it there, then the same command goes
/// on; or --apply does it all. A run that was killed is finished by the next.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// ca, etcd-ca or front-proxy-ca
    name: String,
    /// Bring each step to the running machines, and test the cluster at the end
    #[arg(long, conflicts_with = "dry_run")]
    apply: bool,
    /// Write nothing; say what each step would change
    #[arg(long)]
    dry_run: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Tells of steps, and of what their way to the machines does.
struct Steps {
    told: Told,
    authority: Authority,
    apply: bool,
}

impl Listener for Steps {
    fn differs(&mut self, change: &Change) {
        self.told.differs(change);
    }

    fn done(&mut self, change: &Change) {
        self.told.done(change);
    }

    fn tested(&mut self, outcome: &Outcome) {
        self.told.tested(outcome);
    }
}

impl Watcher for Steps {
    fn step(&mut self, done: &Done) {
        let stem = self.authority.stem();
        self.told.say(&match (done.resumed, &done.waits_for[..]) {
            (false, _) => head(done, self.authority) + &restarting(done, "", self.authority),
            (true, []) => format!("{stem} step {}: every machine has it\n", done.step.number()),
            (true, nodes) => {
                let (number, nodes) = (done.step.number(), nodes.join(", "));
                format!("{stem} step {number}: not yet on {nodes}\n")
            }
        });
        if !self.apply && !done.waits_for.is_empty() {
            self.told.say(&format!(
                "bring it there, and go on:\n  hardway apply {}\n  hardway pki rotate-ca {stem}\n",
                done.waits_for.join(" ")
            ));
        }
    }
}

pub(super) fn run(global: &Global, args: &Args) -> Result<ExitCode> {
    let (paths, topology) = global.cluster()?;
    let authority = authority_named(&args.name)?;
    if args.dry_run {
        let steps = rotate::preview(&paths, &topology, authority)?;
        if args.json {
            print::json(&json!({ "written": false, "steps": steps, "over": false }))?;
        } else {
            let texts = steps.iter().map(|step| {
                let files = step.files.join(", ");
                head(step, authority)
                    + &format!("  would change {files}\n")
                    + &restarting(step, "would ", authority)
            });
            print::text(&texts.collect::<String>())?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let mut steps = Steps {
        told: Told::new(args.json),
        authority,
        apply: args.apply,
    };
    let ended = rotate::rotate(&paths, &topology, authority, args.apply, &mut steps)?;
    if args.json {
        print::json(&json!({
            "written": true,
            "steps": ended.steps,
            "over": ended.over,
            "checks": steps.told.checks,
        }))?;
    } else if ended.over {
        print::text(&format!(
            "{} is replaced; what the old one signed is refused from now on\n",
            args.name
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What the step is.
fn head(done: &Done, authority: Authority) -> String {
    format!(
        "{} step {} of {}: {}\n",
        authority.stem(),
        done.step.number(),
        Step::ALL.len(),
        done.step.title()
    )
}

/// Who has to start again for it.
fn restarting(done: &Done, would: &str, authority: Authority) -> String {
    let mut text = String::new();
    for (node, units) in &restarts(&done.used) {
        let units: Vec<&str> = units.iter().map(|unit| &**unit).collect();
        let _ = writeln!(text, "  {would}restart on {node}: {}", units.join(", "));
    }
    if done.step == Step::TrustBoth && authority == Authority::Cluster {
        text += "  before step 3, Pods that talk to the API server have to start again too: \
                 hardway kubectl rollout restart\n";
    }
    text
}
