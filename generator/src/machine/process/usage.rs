//! What a process takes of the host: time of its processors, and memory.

use std::time::Duration;

use super::Running;
#[cfg(not(target_os = "linux"))]
use super::identity::ps;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Of all its threads since it started.
    pub processor: Duration,
    /// In memory, not swapped out; in KiB.
    pub resident: u64,
}

impl Running {
    /// None once it has ended.
    #[cfg(target_os = "linux")]
    pub fn usage(&self) -> Option<Usage> {
        let read = |file: &str| std::fs::read_to_string(format!("/proc/{}/{file}", self.pid()));
        Some(Usage {
            processor: ticks(&read("stat").ok()?)?,
            resident: resident(&read("status").ok()?)?,
        })
    }

    /// None once it has ended.
    #[cfg(not(target_os = "linux"))]
    pub fn usage(&self) -> Option<Usage> {
        let answer = ps(self.pid(), "time=,rss=")?;
        let (time, resident) = answer.trim().split_once(char::is_whitespace)?;
        Some(Usage {
            processor: clock(time)?,
            resident: resident.trim().parse().ok()?,
        })
    }
}

/// `utime` and `stime` of /proc/PID/stat (proc(5)), which Linux gives in hundredths of a
/// second on all that hardway runs on.
#[cfg(target_os = "linux")]
fn ticks(stat: &str) -> Option<Duration> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(Duration::from_millis((user + system) * 10))
}

/// `VmRSS: 1234 kB` of /proc/PID/status.
#[cfg(target_os = "linux")]
fn resident(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// ps' `[[days-]hours:]minutes:seconds.hundredths`.
#[cfg(any(not(target_os = "linux"), test))]
fn clock(text: &str) -> Option<Duration> {
    let (days, rest) = text.split_once('-').unwrap_or(("0", text));
    let mut seconds = 0.0;
    for part in rest.split(':') {
        seconds = seconds * 60.0 + part.parse::<f64>().ok()?;
    }
    let days: u32 = days.parse().ok()?;
    Duration::try_from_secs_f64(seconds + f64::from(days) * 86400.0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn reads_what_the_kernel_counts() {
        let stat = "42 (a) Z (b) S 1 42 42 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 1 0 98765 1 2";
        assert_eq!(ticks(stat), Some(Duration::from_secs(3)));
        assert_eq!(resident("VmHWM:\t9 kB\nVmRSS:\t 2048 kB\n"), Some(2048));
    }

    #[test]
    fn reads_the_time_of_ps() {
        assert_eq!(clock("1:02.50"), Some(Duration::from_millis(62_500)));
        assert_eq!(clock("1-01:00:00"), Some(Duration::from_secs(90_000)));
        assert_eq!(clock("soon"), None);
    }
}
