//! Which units a change touches: what NixOS says beforehand, and what systemd shows afterwards.

use std::collections::BTreeMap;

use serde::Serialize;

/// Units by what a switch does with them.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct Units {
    pub stop: Vec<String>,
    pub reload: Vec<String>,
    pub restart: Vec<String>,
    /// What runs and requires one that stops or restarts: systemd takes it along, and it
    /// starts again.
    pub along: Vec<String>,
    pub start: Vec<String>,
}

/// What systemd knows of a guest's services and sockets, by name.
#[derive(Debug, Default)]
pub(super) struct Relations(BTreeMap<String, Relation>);

#[derive(Debug, Default)]
struct Relation {
    runs: bool,
    /// The units that systemd stops, or restarts, along with it.
    dependents: Vec<String>,
    /// The sockets that start it.
    sockets: Vec<String>,
}

/// Each is the reverse of a dependency that passes a stop on (systemd.unit(5): Requires=,
/// Requisite=, BindsTo=, PartOf=, StopPropagatedFrom=).
const DEPENDENTS: [&str; 5] = [
    "RequiredBy",
    "RequisiteOf",
    "BoundBy",
    "ConsistsOf",
    "PropagatesStopTo",
];

impl Relations {
    pub(super) const PROPERTIES: [&str; 8] = [
        "Id",
        "ActiveState",
        "TriggeredBy",
        DEPENDENTS[0],
        DEPENDENTS[1],
        DEPENDENTS[2],
        DEPENDENTS[3],
        DEPENDENTS[4],
    ];

    /// Of what `systemctl show` printed of those properties: a block a unit.
    pub(super) fn read(stdout: &str) -> Self {
        let mut all = BTreeMap::new();
        for block in stdout.split("\n\n") {
            let mut id = None;
            let mut relation = Relation::default();
            for (name, value) in block.lines().filter_map(|line| line.trim().split_once('=')) {
                let units = value.split_whitespace().map(str::to_owned);
                match name {
                    "Id" => id = Some(value.to_owned()),
                    "ActiveState" => relation.runs = !matches!(value, "inactive" | "failed"),
                    "TriggeredBy" => relation.sockets.extend(units),
                    name if DEPENDENTS.contains(&name) => relation.dependents.extend(units),
                    _ => {}
                }
            }
            if let Some(id) = id {
                all.insert(id, relation);
            }
        }
        Self(all)
    }

    /// The sockets that start `unit`.
    fn sockets(&self, unit: &str) -> &[String] {
        self.0.get(unit).map_or(&[], |found| &found.sockets)
    }

    /// What runs and goes along with `units`, without these.
    fn along(&self, units: &[String]) -> Vec<String> {
        let mut found: Vec<String> = units.to_vec();
        let mut next = 0;
        while let Some(unit) = found.get(next) {
            let dependents = self.0.get(unit).map(|relation| relation.dependents.clone());
            for dependent in dependents.unwrap_or_default() {
                let runs = self.0.get(&dependent).is_some_and(|relation| relation.runs);
                if runs && !found.contains(&dependent) {
                    found.push(dependent);
                }
            }
            next += 1;
        }
        let mut along = found.split_off(units.len());
        along.sort();
        along
    }
}

impl Units {
    /// What `dry-activate` printed, e.g. `would restart the following units: a.service, b.service`.
    pub(super) fn planned(log: &str) -> Self {
        let named = |verb: &str| -> Vec<String> {
            let start = format!("would {verb} the following units: ");
            let lines = log
                .lines()
                .filter_map(|line| line.trim().strip_prefix(&start));
            let mut units: Vec<String> = lines
                .flat_map(|line| line.split(", "))
                .map(|unit| unit.trim().to_owned())
                .collect();
            units.sort();
            units
        };
        let (stop, start) = (named("stop"), named("start"));
        // NixOS stops most services that change before it activates, and starts them after.
        let (mut restart, start): (Vec<_>, Vec<_>) =
            start.into_iter().partition(|unit| stop.contains(unit));
        let stop = stop
            .into_iter()
            .filter(|unit| !restart.contains(unit))
            .collect();
        restart.extend(named("restart"));
        restart.sort();
        Self {
            stop,
            reload: named("reload"),
            restart,
            along: Vec::new(),
            start,
        }
    }

    /// Adds what systemd does beside what NixOS says: it stops a service whose socket it
    /// starts again, and the socket starts the service; and what requires a unit that stops
    /// goes along with it.
    pub(super) fn complete(&mut self, relations: &Relations) {
        let starts = |socket: &String| self.restart.contains(socket) || self.start.contains(socket);
        let (mut sockets_start, stop): (Vec<_>, Vec<_>) = std::mem::take(&mut self.stop)
            .into_iter()
            .partition(|unit| relations.sockets(unit).iter().any(starts));
        self.stop = stop;
        self.restart.append(&mut sockets_start);
        self.restart.sort();
        self.along = relations.along(&[self.stop.as_slice(), &self.restart].concat());
    }

    /// e.g. `would restart kubelet.service`; a line for each kind that there is.
    pub(super) fn lines(&self) -> Vec<String> {
        [
            ("stop", &self.stop),
            ("reload", &self.reload),
            ("restart", &self.restart),
            ("restart along with these:", &self.along),
            ("start", &self.start),
        ]
        .iter()
        .filter(|(_, units)| !units.is_empty())
        .map(|(verb, units)| format!("would {verb} {}", units.join(", ")))
        .collect()
    }
}

/// The run of each active service: systemd names every start of a unit anew.
pub(super) type Runs = BTreeMap<String, String>;

/// What `systemctl show` printed of each unit's Id, InvocationID and ActiveState: a block a
/// unit. One that has run and ended counts as none: a timer may start it at any time.
pub(super) fn runs(stdout: &str) -> Runs {
    stdout
        .split("\n\n")
        .filter_map(|block| {
            let value = |name: &str| {
                let mut lines = block.lines();
                lines.find_map(|line| line.trim().strip_prefix(name)?.strip_prefix('='))
            };
            (value("ActiveState")? == "active").then_some(())?;
            Some((value("Id")?.to_owned(), value("InvocationID")?.to_owned()))
        })
        .collect()
}

/// The units that ran before and are in another run now.
pub(super) fn restarted(before: &Runs, now: &Runs) -> Vec<String> {
    before
        .iter()
        .filter(|(unit, run)| now.get(*unit).is_some_and(|later| later != *run))
        .map(|(unit, _)| unit.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_nixos_would_do() {
        let units = Units::planned(
            "building the system configuration...\n\
             would stop the following units: kubelet.service, old.service\n\
             would activate the configuration...\n\
             would reload the following units: systemd-networkd.service\n\
             would restart the following units: nscd.service\n\
             would start the following units: kubelet.service, new.service\n",
        );
        assert_eq!(
            units.lines(),
            [
                "would stop old.service",
                "would reload systemd-networkd.service",
                "would restart kubelet.service, nscd.service",
                "would start new.service",
            ]
        );
        assert!(Units::planned("building…\n").lines().is_empty());
    }

    /// The dependencies of alpha's units, as `systemctl show` prints their reverse.
    #[test]
    fn what_goes_along_and_what_a_socket_starts_again_is_told() {
        let block = |unit: &str, state: &str, rest: &str| {
            format!("Id={unit}\nActiveState={state}\n{rest}\n\n")
        };
        let relations = Relations::read(
            &[
                block(
                    "hardway-pki.service",
                    "active",
                    "RequiredBy=etcd.service kube-apiserver.service\nBoundBy=",
                ),
                block(
                    "etcd.service",
                    "active",
                    "RequiredBy=kube-apiserver.service",
                ),
                block(
                    "kube-apiserver.service",
                    "activating",
                    "ConsistsOf=scheduler.service off.service gone.service",
                ),
                block("scheduler.service", "active", "RequiredBy="),
                block("off.service", "inactive", "RequiredBy=scheduler.service"),
                block(
                    "systemd-networkd.service",
                    "active",
                    "TriggeredBy=systemd-networkd.socket",
                ),
                block("systemd-networkd.socket", "active", ""),
            ]
            .concat(),
        );
        let lines = |log: &str| {
            let mut units = Units::planned(log);
            units.complete(&relations);
            units.lines()
        };
        assert_eq!(
            lines("would restart the following units: hardway-pki.service\n"),
            [
                "would restart hardway-pki.service",
                "would restart along with these: etcd.service, kube-apiserver.service, scheduler.service",
            ]
        );
        assert_eq!(
            lines("would restart the following units: etcd.service, kube-apiserver.service\n"),
            [
                "would restart etcd.service, kube-apiserver.service",
                "would restart along with these: scheduler.service",
            ]
        );
        assert_eq!(
            lines(
                "would stop the following units: off.service, systemd-networkd.service, systemd-networkd.socket\n\
                 would start the following units: systemd-networkd.socket\n"
            ),
            [
                "would stop off.service",
                "would restart systemd-networkd.service, systemd-networkd.socket",
                "would restart along with these: scheduler.service",
            ]
        );
    }

    #[test]
    fn tells_which_units_are_in_another_run() {
        let block = |unit: &str, run: &str, state: &str| {
            format!("ActiveState={state}\nInvocationID={run}\nId={unit}.service\n\n")
        };
        let before = runs(&[block("a", "1", "active"), block("b", "2", "active")].concat());
        let late = [
            block("b", "7", "active"),
            block("a", "1", "active"),
            block("t", "9", "inactive"),
        ];
        assert_eq!(restarted(&before, &runs(&late.concat())), ["b.service"]);
    }
}
