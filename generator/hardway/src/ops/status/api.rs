//! What the API server says: whether it is ready, its Nodes and the addons, asked at once.

use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Instant;

use anyhow::anyhow;

use super::addons::Addon;
use super::expected;
use crate::ops::nodes::{self, Registered};
use crate::ops::seconds;

use common::state::Paths;
use model::topology::Topology;

#[derive(Debug, Default)]
pub(super) struct Answer {
    /// Why it is not ready.
    pub(super) reason: Option<String>,
    pub(super) registered: Vec<Registered>,
    pub(super) addons: Vec<Addon>,
}

/// Questions on their way. Whoever asks need not wait for the answer.
#[derive(Debug)]
pub(super) struct Asked {
    since: Instant,
    answer: Receiver<Answer>,
}

impl Asked {
    /// Asks everything, and is over at `end`.
    pub(super) fn begin(paths: &Paths, topology: &Topology, end: Instant) -> Self {
        let (sender, answer) = mpsc::channel();
        let (paths, topology) = (paths.clone(), topology.clone());
        // Where the answer is not waited for any more, nothing receives it.
        thread::spawn(move || sender.send(ask(&paths, &topology, end)));
        Self {
            since: Instant::now(),
            answer,
        }
    }

    /// The answer, if it comes before `end`.
    pub(super) fn wait(self, end: Instant) -> Answer {
        let left = end.saturating_duration_since(Instant::now());
        self.answer.recv_timeout(left).unwrap_or_else(|_| Answer {
            reason: Some(format!(
                "no answer within {}",
                seconds(self.since.elapsed())
            )),
            ..Answer::default()
        })
    }
}

/// Everything is asked at once and over at `end`: an emulated server takes a second for
/// `/readyz` alone.
fn ask(paths: &Paths, topology: &Topology, end: Instant) -> Answer {
    let client = pki::admin_identity(paths).and_then(|identity| {
        let left = end.saturating_duration_since(Instant::now());
        crate::ops::api::client(topology.api_port, &identity, left)
    });
    let client = match client {
        Ok(client) => client,
        Err(error) => {
            return Answer {
                reason: Some(why(&error)),
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
            .map(|kind| scope.spawn(move || kind.ask(client, end)))
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
    Answer {
        reason: ready.as_ref().err().or(nodes.as_ref().err()).map(why),
        // Without Nodes the addons' reasons would say the same again.
        addons: if nodes.is_ok() { addons } else { Vec::new() },
        registered: nodes.unwrap_or_default(),
    }
}

/// The nearest cause; of a time that is over, what took it.
fn why(error: &anyhow::Error) -> String {
    let cause = error.root_cause().to_string();
    if cause.starts_with("timeout") {
        return error.to_string();
    }
    cause
}
