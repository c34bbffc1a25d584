//! Whether the PKI is as it should be: files, chains, names, powers and time, judged
//! without a running cluster. Each check says what it looked at, or all that is wrong.

mod certificates;
mod files;
mod node;

pub use node::{NodeFile, OnNode, judge_node};

use anyhow::Result;
use serde::Serialize;
use time::{Duration, OffsetDateTime};

use super::asked::Asked;
use super::store::Store;
use common::state::Paths;
use model::plan::Plan;

/// The outcome of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Judgement {
    pub check: &'static str,
    pub passed: bool,
    /// What was looked at; or what is wrong, a line each.
    pub detail: Vec<String>,
    /// What to type, where something is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Judgement {
    fn new(check: &'static str, wrong: Vec<String>, well: String, remedy: &str) -> Self {
        let passed = wrong.is_empty();
        Self {
            check,
            passed,
            detail: if passed { vec![well] } else { wrong },
            remedy: (!passed).then(|| remedy.to_owned()),
        }
    }
}

/// What the checks look at.
struct Scene<'a> {
    plan: &'a Plan,
    /// What the files below hosts/pki ask for.
    asked: Asked,
    paths: &'a Paths,
    store: Store,
    now: OffsetDateTime,
}

/// Judges everything; an expiry within `days` is wrong too. `host_server` is where this
/// host's own kubeconfig should lead.
pub fn judge(plan: &Plan, paths: &Paths, days: u32, host_server: &str) -> Result<Vec<Judgement>> {
    let scene = Scene {
        plan,
        asked: Asked::read(plan, &paths.hosts().join("pki"))?,
        paths,
        store: Store::of(paths),
        now: OffsetDateTime::now_utc(),
    };
    let all = scene.certificates();
    Ok(vec![
        scene.chains(&all),
        scene.keys(&all),
        scene.expiry(&all, Duration::days(i64::from(days))),
        scene.names(&all)?,
        scene.powers(&all)?,
        scene.service_accounts(),
        scene.kubeconfigs(host_server),
        scene.modes()?,
    ])
}
