//! What the API server says: whether it is ready, its Nodes and the addons, asked at once.

use std::thread;
use std::time::Duration;

use anyhow::anyhow;

use super::addons::Addon;
use super::expected;
use crate::cluster::api::Client;
use crate::cluster::nodes::{self, Registered};
use crate::pki;
use crate::state::Paths;
use crate::topology::Topology;

/// How long it may take for one answer; one that is asked twice is an addon that is not ready.
const LIMIT: Duration = Duration::from_millis(800);

#[derive(Debug, Default)]
pub(super) struct Answer {
    /// Why it is not ready.
    pub(super) reason: Option<String>,
    pub(super) registered: Vec<Registered>,
    pub(super) addons: Vec<Addon>,
}

pub(super) fn ask(paths: &Paths, topology: &Topology) -> Answer {
    let client = pki::admin_identity(paths)
        .and_then(|identity| Client::new(topology.api_port, &identity, LIMIT));
    let client = match client {
        Ok(client) => client,
        Err(error) => {
            return Answer {
                reason: Some(format!("{:#}", error.root_cause())),
                ..Answer::default()
            };
        }
    };
    let client = &client;
    let (ready, nodes, addons) = thread::scope(|scope| {
        let ready = scope.spawn(move || client.text("/readyz").map(drop));
        let nodes = scope.spawn(move || nodes::list(client));
        let addons: Vec<_> = expected(topology)
            .iter()
            .map(|kind| scope.spawn(move || kind.ask(client)))
            .collect();
        let broken = |_| anyhow!("a thread broke off");
        (
            ready.join().map_err(broken).and_then(|it| it),
            nodes.join().map_err(broken).and_then(|it| it),
            addons
                .into_iter()
                .filter_map(|addon| addon.join().ok())
                .collect(),
        )
    });
    // What a server says that is not ready holds, as far as it is said.
    let why = |error: &anyhow::Error| format!("{:#}", error.root_cause());
    Answer {
        reason: ready.as_ref().err().or(nodes.as_ref().err()).map(why),
        // Without Nodes the addons' reasons would say the same again.
        addons: if nodes.is_ok() { addons } else { Vec::new() },
        registered: nodes.unwrap_or_default(),
    }
}
