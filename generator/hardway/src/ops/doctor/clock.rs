//! Whether the clocks are right, as far as it can be told: the host's by the
//! certificates that it made, the guests' by the host's.

use std::time::{Duration, Instant};

use time::OffsetDateTime;

use super::{Check, Platform, Verdict};
use crate::ops::at_once::at_once;
use crate::ops::machines::BEHIND;
use common::state::Paths;
use model::topology::Topology;
use pki::Validity;
use qemu::process;

/// A leaf with less than this left is issued anew by the next `generate`.
const SOON: time::Duration = time::Duration::days(30);

/// The host's clock at `now` against what it once signed.
pub(super) fn judge(now: OffsetDateTime, all: &[Validity], platform: Platform) -> Check {
    let today = now.date();
    if let Some(early) = all.iter().find(|one| one.from > now) {
        return Check::bad(
            "clock",
            Verdict::Failure,
            format!(
                "it is {today} here, and {} is valid from {} on",
                early.name,
                early.from.date()
            ),
            platform.set_clock(),
        );
    }
    let Some(first) = all.iter().min_by_key(|one| one.until) else {
        return Check::ok(
            "clock",
            format!("it is {today}; no certificate yet to compare with"),
        );
    };
    let remedy = "hardway pki renew --all, then `hardway apply`, if the date is right";
    if first.until <= now {
        let found = format!(
            "it is {today} here, and {} expired on {}",
            first.name,
            first.until.date()
        );
        return Check::bad("clock", Verdict::Failure, found, remedy);
    }
    if first.until - now < SOON {
        let found = format!(
            "it is {today} here, and {} expires on {}",
            first.name,
            first.until.date()
        );
        return Check::bad("clock", Verdict::Warning, found, remedy);
    }
    Check::ok(
        "clock",
        format!(
            "it is {today}; the first of {} certificates expires on {}",
            all.len(),
            first.until.date()
        ),
    )
}

/// The clocks of the guests that run and answer before `end`.
pub(super) fn guests(paths: &Paths, topology: &Topology, end: Instant) -> Option<Check> {
    let told = at_once(&topology.nodes, |node| {
        let running = process::find(paths, &node.name)?;
        let behind = running
            .agent_until(end)
            .and_then(|mut agent| agent.behind());
        Some((node.name.to_string(), behind.ok()?))
    });
    let told: Vec<(String, Duration)> = told.into_iter().flatten().collect();
    compare(&told)
}

fn compare(told: &[(String, Duration)]) -> Option<Check> {
    if told.is_empty() {
        return None;
    }
    let late: Vec<String> = told
        .iter()
        .filter(|(_, behind)| *behind > BEHIND)
        .map(|(name, behind)| format!("{name}'s is {} s behind", behind.as_secs()))
        .collect();
    Some(if late.is_empty() {
        Check::ok(
            "guests' clocks",
            format!("{} agree with the host's", told.len()),
        )
    } else {
        let found = late.join(", ");
        Check::bad(
            "guests' clocks",
            Verdict::Warning,
            found,
            "hardway status, which sets them",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn a_certificate_from_the_future_tells_of_a_clock_that_is_behind() {
        let one = Validity {
            name: "admin.pem".to_owned(),
            from: datetime!(2026-05-01 0:00 UTC),
            until: datetime!(2027-05-01 0:00 UTC),
        };
        let look = |now| {
            let check = judge(now, std::slice::from_ref(&one), Platform::MacOs);
            (check.verdict, check.found)
        };
        assert_eq!(
            judge(
                datetime!(2020-01-01 0:00 UTC),
                std::slice::from_ref(&one),
                Platform::MacOs
            ),
            Check::bad(
                "clock",
                Verdict::Failure,
                "it is 2020-01-01 here, and admin.pem is valid from 2026-05-01 on",
                "sudo sntp -sS time.apple.com",
            )
        );
        assert_eq!(
            look(datetime!(2026-06-01 0:00 UTC)),
            (
                Verdict::Ok,
                "it is 2026-06-01; the first of 1 certificates expires on 2027-05-01".to_owned()
            )
        );
        assert_eq!(look(datetime!(2027-04-20 0:00 UTC)).0, Verdict::Warning);
        assert_eq!(look(datetime!(2028-01-01 0:00 UTC)).0, Verdict::Failure);
    }

    #[test]
    fn a_guest_that_is_behind_is_named() {
        let told = |seconds| [("sigma".to_owned(), Duration::from_secs(seconds))];
        assert_eq!(compare(&[]), None);
        assert_eq!(
            compare(&told(5)).map(|check| check.verdict),
            Some(Verdict::Ok)
        );
        let check = compare(&told(60)).unwrap();
        assert_eq!(
            (check.verdict, check.found.as_str()),
            (Verdict::Warning, "sigma's is 60 s behind")
        );
    }
}
