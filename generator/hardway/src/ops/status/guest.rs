//! What a running machine says of itself: QEMU whether the guest goes on, the guest
//! agent what its units do and what time it is there.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::{Value, json};

use super::{Clock, Machine, NodeStatus};
use crate::ops::machines::{self, BEHIND, LIST_UNITS, Listed, SYSTEMS};
use crate::ops::wait::words;
use model::plan::NodePlan;
use qemu::agent::Agent;
use qemu::process::Running;

/// How long QEMU may take; busy with a snapshot it does not answer at all.
const QEMU: Duration = Duration::from_millis(300);

/// Fills in what the machine tells before `end`; its first word must come before `first`.
pub(super) fn ask(
    running: &Running,
    plan: &NodePlan,
    first: Instant,
    end: Instant,
    status: &mut NodeStatus,
) {
    if let Some(word) = stands_still(running) {
        status.machine = Machine::Paused;
        status.silent = Some(format!("its guest stands still ({word})"));
        return;
    }
    // The clock comes first: the agent tells it by itself, and the units through a program.
    let clock = running.agent_between(first, end).and_then(|mut agent| {
        status.clock = clock(&mut agent)?;
        Ok(agent)
    });
    match clock {
        Ok(mut agent) => {
            status.silent = None;
            match units(&mut agent, plan) {
                Ok(listed) => {
                    status.units = Some(listed.states.into_iter().collect());
                    status.failed = listed.failed;
                    status.boot_pending = boot_pending(&mut agent);
                }
                Err(_) => status.busy = true,
            }
        }
        Err(error) => status.silent = Some(words(&error)),
    }
}

/// QEMU's word for why the guest does not go on, where it does not.
fn stands_still(running: &Running) -> Option<String> {
    let mut qmp = running.qmp_within(QEMU).ok()?;
    let answer = qmp.execute("query-status", &json!({})).ok()?;
    (answer["running"] == Value::Bool(false))
        .then(|| answer["status"].as_str().unwrap_or("paused").to_owned())
}

fn units(agent: &mut Agent, plan: &NodePlan) -> Result<Listed> {
    // The agent's own end comes first.
    let output = agent.exec(&LIST_UNITS, Duration::from_secs(60))?;
    Listed::read(&machines::units(plan), &output)
}

/// False too where it does not tell in time: the units count for more.
fn boot_pending(agent: &mut Agent) -> bool {
    let output = agent.exec(&SYSTEMS, Duration::from_secs(60));
    output.is_ok_and(|output| machines::boot_pending(&output))
}

/// Sets a clock that is behind, as it is after the host has slept.
fn clock(agent: &mut Agent) -> Result<Option<Clock>> {
    let behind = agent.behind()?;
    if behind <= BEHIND {
        return Ok(None);
    }
    Ok(Some(Clock {
        behind_seconds: behind.as_secs(),
        set: agent.set_clock().is_ok(),
    }))
}
