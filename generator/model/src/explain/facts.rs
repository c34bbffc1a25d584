//! What fills in a text's blanks, and which of its cases holds.

use std::collections::BTreeMap;

use anyhow::{Context, Error, Result, anyhow, bail};

use super::{Entry, Explained, Text};
use crate::plan::{advertised_address, api_secure_port, dns_address, node_address};
use crate::topology::{Cni, Joined, Topology};
use common::report::Hint;

/// What a topology has to say.
#[derive(Debug)]
pub struct Facts {
    blanks: BTreeMap<&'static str, String>,
    cases: Vec<&'static str>,
}

impl Facts {
    pub fn of(topology: &Topology) -> Result<Self> {
        let control_plane = topology
            .control_planes()
            .next()
            .context("no control plane")?;
        let workers: Vec<&str> = topology.workers().map(|node| node.name.as_str()).collect();
        let blanks = BTreeMap::from([
            (
                "advertised",
                advertised_address(topology, control_plane).to_string(),
            ),
            ("api-port", topology.api_port.to_string()),
            ("cluster", topology.name.clone()),
            ("cp", control_plane.name.to_string()),
            (
                "cp-address",
                node_address(topology, control_plane).to_string(),
            ),
            ("dns", dns_address(topology).to_string()),
            ("domain", topology.domain.clone()),
            ("first-service", topology.service_address(1).to_string()),
            ("pods", topology.network.pods.to_string()),
            ("secure-port", api_secure_port(topology).to_string()),
            ("services", topology.network.services.to_string()),
            (
                "worker",
                workers.first().copied().unwrap_or_default().to_owned(),
            ),
            ("workers", workers.join(" and ")),
        ]);
        let network = match topology.joined() {
            Joined::Machines => "machines",
            Joined::Segment => "segment",
            Joined::User => "user",
        };
        let cni = match topology.cni {
            Cni::Bridge => "bridge",
            Cni::Cilium => "cilium",
        };
        Ok(Self {
            blanks,
            cases: vec![cni, network],
        })
    }

    pub fn cluster(&self) -> &str {
        &self.blanks["cluster"]
    }

    /// Whether a case holds; `a|b` where either does.
    pub fn holds(&self, case: &str) -> bool {
        case.split('|').any(|one| self.cases.contains(&one))
    }

    /// The entry in this cluster, of an item with this value.
    pub fn explain(&self, entry: &Entry, value: &str) -> Result<Explained> {
        Ok(Explained {
            what: self.fill(&entry.what, value)?,
            why: self.fill(&entry.why, value)?,
            without: self.fill(&entry.without, value)?,
            read: entry.read.clone(),
        })
    }

    fn fill(&self, text: &Text, value: &str) -> Result<String> {
        let mut rest = match text {
            Text::Always(text) => text.as_str(),
            Text::Cases(cases) => {
                let mut holding = cases.iter().filter(|(case, _)| self.holds(case));
                match (holding.next(), holding.next()) {
                    (Some((_, text)), None) => text,
                    _ => bail!("not one of {:?} holds", cases.keys()),
                }
            }
        };
        let mut filled = String::new();
        while let Some((before, after)) = rest.split_once('{') {
            let (blank, after) = after.split_once('}').context("a blank without an end")?;
            filled += before;
            filled += match blank {
                "value" => value,
                _ => self
                    .blanks
                    .get(blank)
                    .with_context(|| format!("there is no blank {blank:?}"))?,
            };
            rest = after;
        }
        Ok(filled + rest)
    }

    /// The error about what only other clusters have.
    pub(super) fn elsewhere(&self, entry: &Entry, why: &str) -> Error {
        let hint = match entry.only.as_deref() {
            Some(cni) => format!("it is there with \"cni\": \"{cni}\" in cluster.json"),
            None => "`hardway explain` lists what there is".to_owned(),
        };
        anyhow!("{why}").context(Hint(hint))
    }
}
