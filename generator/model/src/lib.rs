//! What a person asks for, and what each node then runs: `topology` (cluster.json and
//! cluster.env, parsed once), `plan` (pure), `tables` (what the pinned programs know),
//! `lint` and `explain`. Not here: how it is written down, signed, installed or started.

pub mod explain;
pub mod lint;
pub mod plan;
pub mod tables;
pub mod topology;
