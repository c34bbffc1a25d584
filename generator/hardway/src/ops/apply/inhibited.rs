//! Where NixOS refuses to switch a system that runs: what changed can't be exchanged under
//! it, such as the D-Bus implementation. It takes such a configuration at its next boot.
//!
//! NixOS compares `system.switch.inhibitors` of both configurations before it switches, and
//! before a dry run, and then ends with exit code 1 (nixpkgs, switchable-system.nix).

use serde::Serialize;

use super::job::Ended;

/// The words between which NixOS lists what changed, a line each.
const LIST: [&str; 2] = [
    "There are changes to critical components of the system:",
    "Switching into this system is not recommended.",
];
const FAILED: &str = "Pre-switch check 'switchInhibitors' failed";

/// What a node takes at its next boot only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NextBoot {
    /// What NixOS does not exchange in a system that runs, e.g. `dbus-implementation : dbus ->
    /// broker`.
    pub because: Vec<String>,
}

impl NextBoot {
    /// Of a job that NixOS refused for this reason.
    pub(super) fn of(ended: &Ended) -> Option<Self> {
        let [first, last] = LIST;
        let told = |line: &&str| line.trim() != FAILED && line.trim() != first;
        if ended.code == 0 || ended.log.lines().all(|line| told(&line)) {
            return None;
        }
        let lines = ended.log.lines().map(str::trim);
        let because = lines
            .skip_while(|line| *line != first)
            .skip(1)
            .take_while(|line| *line != last && *line != FAILED)
            .filter(|line| !line.is_empty());
        Some(Self {
            because: because.map(str::to_owned).collect(),
        })
    }

    /// Why it waits for the next boot, in words.
    pub(super) fn reason(&self) -> String {
        let refusal = "NixOS does not switch to this while it runs";
        match self.because.as_slice() {
            [] => refusal.to_owned(),
            because => format!("{refusal} ({})", because.join("; ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_from_a_failure_and_names_what_changed() {
        let ended = |code, log: &str| {
            NextBoot::of(&Ended {
                code,
                log: log.to_owned(),
            })
        };
        let refused = "Checking switch inhibitors...\n\
            There are changes to critical components of the system:\n\n\
            dbus-implementation : dbus -> broker\nsystemd : 259 -> 260\n\n\
            Switching into this system is not recommended.\n\
            You probably want to run 'nixos-rebuild boot' and reboot your system instead.\n\n\
            Pre-switch check 'switchInhibitors' failed\nPre-switch checks failed\n";
        assert_eq!(
            ended(1, refused).unwrap().reason(),
            "NixOS does not switch to this while it runs \
             (dbus-implementation : dbus -> broker; systemd : 259 -> 260)"
        );
        // Of a long log only the end is kept.
        assert_eq!(
            ended(1, "Pre-switch check 'switchInhibitors' failed\n")
                .unwrap()
                .because,
            Vec::<String>::new()
        );
        assert_eq!(ended(1, "Pre-switch check 'mine' failed\n"), None);
        assert_eq!(ended(0, refused), None);
    }
}
