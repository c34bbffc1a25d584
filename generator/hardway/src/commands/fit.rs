//! `--fit`: where the host has too little memory, sizes that fit, and on with the verb.

use std::io::{IsTerminal, stdin};

use anyhow::Result;

use super::confirm::{self, Question};
use crate::ops::{fit, lock};
use common::state::Paths;
use model::topology::{self, NodeName, Topology};

#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct Fit {
    /// Where the host has too little memory, write smaller sizes into cluster.env, and go on.
    /// HARDWAY_MEMORY=MIB says how much more memory the machines may take, instead of what is free
    #[arg(long)]
    fit: bool,
}

/// What the host is to have room for.
pub(super) struct Demand<'a> {
    pub install: &'a [NodeName],
    pub start: &'a [NodeName],
    /// The verb with its arguments: the command that takes --fit.
    pub command: &'a str,
    /// Whether a person at a terminal may be asked.
    pub ask: bool,
}

impl Fit {
    /// The topology to go on with: with other sizes where those that it has do not fit, and
    /// the user said --fit or says yes. Otherwise the same: the verb itself refuses it then,
    /// after what it checks before.
    pub(super) fn fitted(
        self,
        paths: &Paths,
        topology: Topology,
        demand: &Demand<'_>,
    ) -> Result<Topology> {
        let asks = demand.ask && stdin().is_terminal();
        if !self.fit && !asks {
            return Ok(topology);
        }
        // Another run's machines take memory for as long as it works.
        lock::check(paths)?;
        let shortage = fit::shortage(paths, &topology, demand.install, demand.start)?;
        let Some(shortage) = shortage.filter(|shortage| !shortage.sizes.is_empty()) else {
            return Ok(topology);
        };
        if !self.fit {
            confirm::confirm(&Question {
                title: &format!("{}. This would fit:", shortage.reason),
                targets: &shortage.lines(),
                goal: "to write it into cluster.env and go on",
                hint: "",
            })?;
        }
        eprint!("{}", shortage.write(paths)?);
        topology::load(paths)
    }

    /// The same for a dry run, with what would be written, in words.
    pub(super) fn would_fit(
        self,
        paths: &Paths,
        topology: Topology,
        demand: &Demand<'_>,
    ) -> Result<(Topology, Option<String>)> {
        if !self.fit {
            return Ok((topology, None));
        }
        let Some(shortage) = fit::shortage(paths, &topology, demand.install, demand.start)? else {
            return Ok((topology, None));
        };
        if shortage.sizes.is_empty() {
            return Err(shortage.error(Some(demand.command)));
        }
        Ok((
            topology::load_with(paths, &shortage.settings_list())?,
            Some(shortage.step()),
        ))
    }
}
