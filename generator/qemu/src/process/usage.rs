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

/// Bytes that a process has read and written in its life, also from and to the page cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Transfer {
    pub(crate) read: u64,
    pub(crate) written: u64,
}

impl Running {
    /// None once it has ended.
    pub fn usage(&self) -> Option<Usage> {
        Usage::of(self.pid())
    }
}

impl Usage {
    /// None once it has ended.
    #[cfg(target_os = "linux")]
    pub(crate) fn of(pid: i32) -> Option<Self> {
        let read = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}"));
        Some(Self {
            processor: ticks(&read("stat").ok()?)?,
            resident: resident(&read("status").ok()?)?,
        })
    }

    /// None once it has ended.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn of(pid: i32) -> Option<Self> {
        let answer = ps(pid, "time=,rss=")?;
        let (time, resident) = answer.trim().split_once(char::is_whitespace)?;
        Some(Self {
            processor: clock(time)?,
            resident: resident.trim().parse().ok()?,
        })
    }
}

impl Transfer {
    /// None where the system does not count them, or does not show them.
    pub(crate) fn of(pid: i32) -> Option<Self> {
        transfer(&std::fs::read_to_string(format!("/proc/{pid}/io")).ok()?)
    }
}

/// `rchar: 1` and `wchar: 2` of /proc/PID/io (proc(5)).
fn transfer(io: &str) -> Option<Transfer> {
    let field = |name: &str| {
        let value = io.lines().find_map(|line| line.strip_prefix(name))?;
        value.trim().parse().ok()
    };
    Some(Transfer {
        read: field("rchar:")?,
        written: field("wchar:")?,
    })
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
        let io = "rchar: 7\nwchar: 8\nsyscr: 1\nsyscw: 2\nread_bytes: 3\n";
        let (read, written) = (7, 8);
        assert_eq!(transfer(io), Some(Transfer { read, written }));
        assert_eq!(transfer("rchar: 7\n"), None);
        assert_eq!(resident("VmHWM:\t9 kB\nVmRSS:\t 2048 kB\n"), Some(2048));
    }

    #[test]
    fn reads_the_time_of_ps() {
        assert_eq!(clock("1:02.50"), Some(Duration::from_millis(62_500)));
        assert_eq!(clock("1-01:00:00"), Some(Duration::from_secs(90_000)));
        assert_eq!(clock("soon"), None);
    }
}
