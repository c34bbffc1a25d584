//! Which units a change touches: what NixOS says beforehand, and what systemd shows afterwards.

use std::collections::BTreeMap;

use serde::Serialize;

/// Units by what a switch does with them.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct Units {
    pub stop: Vec<String>,
    pub reload: Vec<String>,
    pub restart: Vec<String>,
    pub start: Vec<String>,
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
            start,
        }
    }

    /// e.g. `would restart kubelet.service`; a line for each kind that there is.
    pub(super) fn lines(&self) -> Vec<String> {
        [
            ("stop", &self.stop),
            ("reload", &self.reload),
            ("restart", &self.restart),
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
