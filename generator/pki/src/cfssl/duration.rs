//! Durations as Go writes them: `8760h`, `5m`, `1h30m`.

use anyhow::{Context, Result, ensure};
use time::Duration;

/// What Go's time.ParseDuration takes, as far as certificates can use it: whole seconds.
pub(super) fn parse(text: &str) -> Result<Duration> {
    let wrong = || format!("{text:?} is no duration, e.g. 8760h or 1h30m");
    let mut whole = Duration::ZERO;
    let mut rest = text;
    ensure!(!rest.is_empty(), wrong());
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (count, unit) = rest.split_at(digits);
        let count: i64 = count.parse().ok().with_context(wrong)?;
        let seconds = match unit.chars().next() {
            Some('h') => 3600,
            Some('m') if !unit.starts_with("ms") => 60,
            Some('s') => 1,
            _ => return Err(anyhow::anyhow!(wrong())),
        };
        let seconds = count.checked_mul(seconds).with_context(wrong)?;
        whole = whole
            .checked_add(Duration::seconds(seconds))
            .with_context(wrong)?;
        rest = &unit[1..];
    }
    // A certificate's dates have four digits for the year.
    ensure!(
        whole < Duration::days(365_000),
        "{text:?} is longer than a thousand years"
    );
    Ok(whole)
}

/// e.g. `8760h`, or `5m` where hours would not say it.
pub(crate) fn hours(duration: Duration) -> String {
    match duration.whole_minutes() % 60 {
        0 => format!("{}h", duration.whole_hours()),
        _ => format!("{}m", duration.whole_minutes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_go_reads_them() {
        for (text, seconds) in [
            ("8760h", 31_536_000),
            ("1h30m", 5400),
            ("5m", 300),
            ("90s", 90),
            ("0h", 0),
        ] {
            assert_eq!(parse(text).unwrap(), Duration::seconds(seconds), "{text}");
        }
        for text in [
            "",
            "h",
            "5",
            "1 h",
            "-5m",
            "5ms",
            "1.5h",
            "99999999999999999999h",
            "9000000h",
            "1d",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert_eq!(hours(Duration::minutes(5)), "5m");
        assert_eq!(hours(Duration::hours(8760)), "8760h");
    }
}
