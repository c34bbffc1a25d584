//! The status as people read it: one table, and what to do under it.

use std::fmt::Write;

use super::{Machine, NodeStatus, Status};
use crate::ops::table::{Cell, Tone, table};

const HEADS: [&str; 7] = [
    "NAME",
    "ROLE",
    "MACHINE",
    "UNITS",
    "READY",
    "VERSION",
    "INTERNAL-IP",
];

pub fn text(status: &Status) -> String {
    let mut text = format!(
        "{}: API {} {}\n",
        status.cluster,
        status.api.url,
        match &status.api.reason {
            None => Tone::Good.paint("ready"),
            Some(reason) => format!("{}: {reason}", Tone::Bad.paint("not ready")),
        }
    );
    let mut rows: Vec<Vec<Cell>> = status.nodes.iter().map(node).collect();
    rows.extend(status.addons.iter().map(|addon| {
        vec![
            Cell::plain(addon.name),
            Cell::plain("addon"),
            Cell::plain("-"),
            Cell::plain("-"),
            match (addon.installed, addon.ready) {
                (false, _) => Cell::new("no", Tone::Bad),
                (true, ready) => Cell::new(
                    format!("{}/{}", addon.available, addon.wanted),
                    if ready { Tone::Good } else { Tone::Bad },
                ),
            },
            Cell::plain(addon.version.as_deref().unwrap_or("-")),
            Cell::plain("-"),
        ]
    }));
    text += &table(&HEADS, &rows);
    for node in &status.nodes {
        if let Some(clock) = node.clock.as_ref().filter(|clock| clock.set) {
            let _ = write!(
                text,
                "\n{}'s clock was {} s behind, as after the host has slept; it is set right\n",
                node.name, clock.behind_seconds
            );
        }
    }
    for problem in &status.problems {
        let what = Tone::Bad.paint(&problem.what);
        let _ = write!(text, "\n{what}\n    {}\n", problem.remedy);
    }
    text
}

fn node(node: &NodeStatus) -> Vec<Cell> {
    let found = node.node.as_ref();
    let units = node.units.as_ref().map(|units| {
        let active = units.values().filter(|state| *state == "active").count();
        (active, units.len())
    });
    vec![
        Cell::plain(&node.name),
        Cell::plain(&node.role),
        match node.machine {
            Machine::NotInstalled => Cell::new("not installed", Tone::Doubtful),
            Machine::Installing => Cell::new("installing", Tone::Doubtful),
            Machine::Stopped => Cell::new("stopped", Tone::Doubtful),
            Machine::Died => Cell::new("died", Tone::Bad),
            Machine::Running => Cell::new("running", Tone::Good),
            Machine::Paused => Cell::new("paused", Tone::Doubtful),
            Machine::Own => Cell::plain("your own"),
        },
        match units {
            None if node.busy => Cell::new("?", Tone::Doubtful),
            None => Cell::plain("-"),
            Some((active, all)) => Cell::new(
                format!("{active}/{all}"),
                if active == all { Tone::Good } else { Tone::Bad },
            ),
        },
        match found {
            Some(found) if found.ready => Cell::new("yes", Tone::Good),
            Some(_) => Cell::new("no", Tone::Bad),
            None => Cell::plain("-"),
        },
        Cell::plain(found.map_or("-", |found| found.version.as_str())),
        Cell::plain(found.map_or("-".to_owned(), |found| found.internal_ips.join(","))),
    ]
}
