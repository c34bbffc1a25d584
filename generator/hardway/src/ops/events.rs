//! `hardway events`: what has happened of late. The API server's Events and the units that
//! have failed on the nodes, in one list, newest last. It asks the machines too, so it says
//! something while the API server does not answer.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::api;
use super::at_once::at_once;
use super::machines;
use super::table::{Cell, Tone, table};
use super::wait::{printable, words};
use common::state::Paths;
use model::topology::{Node, Topology};

/// How long the API server and the guests may take.
const LIMIT: Duration = Duration::from_secs(10);

/// For each unit that has failed, or waits to be started again, its properties in a paragraph.
/// systemd names a time in seconds since 1970.
const FAILED: &str = r#"export PATH=/run/current-system/sw/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
systemctl list-units --all --state=failed,auto-restart --plain --no-legend |
  while read -r unit rest; do
    systemctl show --timestamp=unix \
      --property=Id,SubState,Result,NRestarts,StateChangeTimestamp "$unit"
    echo
  done"#;

/// One thing that has happened, or that goes on happening.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Event {
    /// When it happened last: RFC 3339, in UTC, to the second.
    pub time: String,
    /// The node, where the event names one.
    pub node: Option<String>,
    /// A Kubernetes kind, or `Unit`.
    pub kind: String,
    /// `namespace/name`, a name alone, or a unit's.
    pub object: String,
    pub warning: bool,
    pub reason: String,
    pub message: String,
    /// How often it has happened.
    pub count: u64,
}

/// What the cluster and its nodes told, and who of them told nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Events {
    /// Newest last.
    pub events: Vec<Event>,
    /// Why the API server or a node says nothing, a sentence each.
    pub unavailable: Vec<String>,
}

/// Asks the API server and all machines at once.
pub fn events(paths: &Paths, topology: &Topology) -> Events {
    let nodes = topology.nodes.iter().filter(|node| node.guest().is_some());
    let sources = std::iter::once(None).chain(nodes.map(Some));
    let answers = at_once(sources, |source| match source {
        None => of_cluster(paths, topology).context("the API server says nothing"),
        Some(node) => of_node(paths, node).with_context(|| format!("{} says nothing", node.name)),
    });
    let mut all = Events {
        events: Vec::new(),
        unavailable: Vec::new(),
    };
    for answer in answers {
        match answer {
            Ok(events) => all.events.extend(events),
            Err(error) => all.unavailable.push(words(&error)),
        }
    }
    all.events.sort();
    all
}

/// The last `most` of `events` that are not in `seen`, which has them afterwards.
pub fn fresh(events: Vec<Event>, seen: &mut BTreeSet<Event>, most: usize) -> Vec<Event> {
    let mut fresh: Vec<Event> = events
        .into_iter()
        .filter(|event| seen.insert(event.clone()))
        .collect();
    fresh.split_off(fresh.len().saturating_sub(most))
}

fn of_cluster(paths: &Paths, topology: &Topology) -> Result<Vec<Event>> {
    let identity = pki::admin_identity(paths)?;
    let client = api::client(topology.api_port, &identity, LIMIT)?;
    from_api(client.get("/api/v1/events")?)
}

fn of_node(paths: &Paths, node: &Node) -> Result<Vec<Event>> {
    let running = machines::reachable(paths, node)?;
    let mut agent = running.agent_until(Instant::now() + LIMIT)?;
    let output = agent.exec(&["/bin/sh", "-c", FAILED], LIMIT)?;
    if output.code != 0 {
        return Err(anyhow!("systemctl: {}", printable(output.stderr.trim())));
    }
    from_units(node.name.as_str(), &output.stdout)
}

/// Kubernetes' Event, as far as it is read here (core/v1).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ApiEvent {
    involved_object: Object,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    message: String,
    #[serde(default, rename = "type")]
    kind: String,
    count: Option<u64>,
    first_timestamp: Option<String>,
    last_timestamp: Option<String>,
    event_time: Option<String>,
    series: Option<Series>,
    #[serde(default)]
    source: Source,
}

#[derive(Debug, Deserialize)]
struct Object {
    #[serde(default)]
    kind: String,
    namespace: Option<String>,
    #[serde(default)]
    name: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Series {
    count: u64,
    last_observed_time: String,
}

#[derive(Debug, Default, Deserialize)]
struct Source {
    host: Option<String>,
}

#[derive(Debug, Deserialize)]
struct List {
    items: Vec<ApiEvent>,
}

fn from_api(list: serde_json::Value) -> Result<Vec<Event>> {
    let list: List = serde_json::from_value(list).context("its list of Events cannot be read")?;
    Ok(list.items.into_iter().map(Event::from).collect())
}

impl From<ApiEvent> for Event {
    fn from(event: ApiEvent) -> Self {
        // Clients of events.k8s.io write a series and an eventTime, older ones the others.
        let series = event.series.as_ref();
        let time = series
            .map(|series| &series.last_observed_time)
            .or(event.last_timestamp.as_ref())
            .or(event.event_time.as_ref())
            .or(event.first_timestamp.as_ref());
        let object = match &event.involved_object.namespace {
            Some(namespace) => format!("{namespace}/{}", event.involved_object.name),
            None => event.involved_object.name.clone(),
        };
        Self {
            time: time.map_or_else(String::new, |time| to_the_second(time)),
            node: event.source.host.filter(|host| !host.is_empty()),
            kind: printable(&event.involved_object.kind),
            object: printable(&object),
            warning: event.kind == "Warning",
            reason: printable(&event.reason),
            message: printable(event.message.trim()),
            count: series
                .map(|series| series.count)
                .or(event.count)
                .unwrap_or(1),
        }
    }
}

/// `2026-11-30T21:40:03.123456Z` as `2026-11-30T21:40:03Z`, so that texts sort as times do.
fn to_the_second(time: &str) -> String {
    match time.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => time.to_owned(),
    }
}

/// Reads what [`FAILED`] printed.
fn from_units(node: &str, text: &str) -> Result<Vec<Event>> {
    let units = text.split("\n\n").filter(|unit| !unit.trim().is_empty());
    units
        .map(|unit| {
            let property = |name: &str| {
                let mut lines = unit.lines().filter_map(|line| line.split_once('='));
                lines.find(|(key, _)| *key == name).map(|(_, value)| value)
            };
            let unreadable = || format!("systemctl says of a unit: {}", printable(unit));
            let id = property("Id").with_context(unreadable)?;
            let since = property("StateChangeTimestamp")
                .unwrap_or("")
                .trim_start_matches('@');
            let since = since.parse().ok();
            let since = since.and_then(|since| OffsetDateTime::from_unix_timestamp(since).ok());
            let restarts = property("NRestarts").and_then(|count| count.parse().ok());
            let component = id.strip_suffix(".service").unwrap_or(id);
            Ok(Event {
                time: since
                    .and_then(|since| since.format(&Rfc3339).ok())
                    .unwrap_or_default(),
                node: Some(node.to_owned()),
                kind: "Unit".to_owned(),
                object: printable(id),
                warning: true,
                reason: printable(property("SubState").with_context(unreadable)?),
                message: format!(
                    "{}; `hardway ssh {node} journalctl -u {}` says why",
                    printable(property("Result").unwrap_or("failed")),
                    printable(component)
                ),
                count: restarts.unwrap_or(0).max(1),
            })
        })
        .collect()
}

/// A line an event; with `heads` under a line that names the columns.
pub fn text(events: &[Event], heads: bool) -> String {
    let rows: Vec<Vec<Cell>> = events
        .iter()
        .map(|event| {
            let tone = if event.warning {
                Tone::Bad
            } else {
                Tone::Plain
            };
            let times = match event.count {
                1 => String::new(),
                count => format!(" ({count} times)"),
            };
            vec![
                Cell::plain(&event.time),
                Cell::plain(event.node.as_deref().unwrap_or("-")),
                Cell::plain(format!("{} {}", event.kind, event.object)),
                Cell::new(&event.reason, tone),
                Cell::plain(format!("{}{times}", event.message)),
            ]
        })
        .collect();
    let text = table(&["TIME", "NODE", "OBJECT", "REASON", "MESSAGE"], &rows);
    match text.split_once('\n') {
        Some((_, rows)) if !heads => rows.to_owned(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn listed() -> Vec<Event> {
        let list = json!({ "items": [
            {
                "involvedObject": { "kind": "Pod", "namespace": "default", "name": "web" },
                "type": "Warning", "reason": "BackOff", "message": "Back-off pulling image \"x\"\n",
                "count": 4, "firstTimestamp": "2026-11-30T10:00:00Z",
                "lastTimestamp": "2026-11-30T10:05:00Z", "source": { "host": "sigma" },
            },
            {
                "involvedObject": { "kind": "Node", "name": "gamma" },
                "type": "Normal", "reason": "NodeReady", "message": "gamma is ready",
                "eventTime": "2026-11-30T10:01:00.123456Z", "lastTimestamp": null, "source": {},
            },
        ] });
        from_api(list).unwrap()
    }

    #[test]
    fn the_last_time_and_the_count_of_an_event_are_read_in_both_forms() {
        let [pod, node] = &listed()[..] else {
            panic!("not two events");
        };
        assert_eq!(
            (pod.time.as_str(), pod.count, pod.warning),
            ("2026-11-30T10:05:00Z", 4, true)
        );
        assert_eq!(
            (node.time.as_str(), node.count, node.warning),
            ("2026-11-30T10:01:00Z", 1, false)
        );
        assert!(from_api(json!({ "kind": "Status" })).is_err());
    }

    #[test]
    fn a_failed_unit_is_an_event_of_its_node() {
        let text = "Id=kubelet.service\nSubState=auto-restart\nResult=exit-code\nNRestarts=7\n\
                    StateChangeTimestamp=@1796068803\n\n\
                    Id=foo.service\nSubState=failed\nResult=timeout\nNRestarts=0\n\
                    StateChangeTimestamp=@1796068800\n\n";
        let mut events = from_units("sigma", text).unwrap();
        events.sort();
        assert_eq!(
            anstream::adapter::strip_str(&super::text(&events, true)).to_string(),
            "\
TIME                  NODE   OBJECT                REASON        MESSAGE
2026-11-30T20:00:00Z  sigma  Unit foo.service      failed        timeout; `hardway ssh sigma journalctl -u foo` says why
2026-11-30T20:00:03Z  sigma  Unit kubelet.service  auto-restart  exit-code; `hardway ssh sigma journalctl -u kubelet` says why (7 times)
"
        );
        assert_eq!(from_units("sigma", "").unwrap(), []);
        assert!(from_units("sigma", "no bus\n").is_err());
    }

    #[test]
    fn a_second_look_shows_only_what_is_new() {
        let mut seen = BTreeSet::new();
        assert_eq!(fresh(listed(), &mut seen, 1).len(), 1);
        assert_eq!(fresh(listed(), &mut seen, 9), []);
        let mut again = listed();
        again[0].count = 5;
        assert_eq!(fresh(again, &mut seen, 9).len(), 1);
    }
}
