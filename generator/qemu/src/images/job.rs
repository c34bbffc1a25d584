//! QEMU's jobs of saving, loading and removing a snapshot.

use std::thread::sleep;

use anyhow::{Result, anyhow};
use serde_json::{Value, json};

use super::PAUSE;
use crate::qmp::{GoOn, Qmp};

/// What the names of all our jobs begin with.
pub(super) const JOB: &str = "hardway-";

/// Runs a job to its end, waiting as long as `go_on` does not fail. What went wrong with it,
/// in QEMU's words.
pub(super) fn run_job(
    qmp: &mut Qmp,
    command: &str,
    mut arguments: Value,
    go_on: &mut GoOn<'_>,
) -> Result<Option<String>> {
    // Another run may have left its job behind under its own name.
    let id = format!("{JOB}{}-{command}", std::process::id());
    arguments["job-id"] = json!(id);
    qmp.execute_while(command, &arguments, go_on)?;
    loop {
        let jobs = qmp.execute_while("query-jobs", &json!({}), go_on)?;
        let job = jobs
            .as_array()
            .and_then(|jobs| jobs.iter().find(|job| job["id"] == id))
            .ok_or_else(|| anyhow!("QEMU forgot its job {id}"))?;
        if job["status"] == "concluded" {
            let error = job["error"].as_str().map(ToOwned::to_owned);
            qmp.execute_while("job-dismiss", &json!({ "id": id }), go_on)?;
            return Ok(error);
        }
        go_on()?;
        sleep(PAUSE);
    }
}
