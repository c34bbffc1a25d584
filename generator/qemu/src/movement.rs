//! Whether a program gets on with its work on a machine's images. QEMU answers nothing
//! while it writes or reads a guest's memory, so this is seen from outside.
//!
//! It moves as long as one of these changes: the bytes that the program has read and
//! written (where the system counts them, as Linux does in /proc/PID/io), the images'
//! size, blocks and time of change, and the program's processor time. The last also covers
//! a load from a disk behind a network, and a flush of what the page cache still holds.
//! While the guest runs, its own work is part of QEMU's processor time, which then says
//! nothing.

use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use super::process::{Transfer, Usage, complaint};
use common::state::NodePaths;

/// How long nothing may move: a disk may have to wake up, or to serve others first.
pub const STALL: Duration = Duration::from_secs(60);

/// The same for what was seen to stand still before.
pub const SHORT_STALL: Duration = Duration::from_secs(10);

/// Between two looks.
const BETWEEN: Duration = Duration::from_millis(500);

/// Watches one program from the start of one piece of work.
pub(super) struct Watch {
    pid: i32,
    files: NodePaths,
    guest_runs: bool,
    limit: Duration,
    first: Trace,
    last: Trace,
    looked: Instant,
    /// How long nothing has moved, as far as this process was awake itself.
    still: Duration,
}

/// What is seen of the work. Two that differ: something has moved in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Trace {
    images: [Option<Image>; 2],
    transfer: Option<Transfer>,
    processor: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Image {
    length: u64,
    /// Of 512 bytes.
    blocks: u64,
    changed: (i64, i64),
}

/// Why a wait was given up.
#[derive(Debug, Clone)]
pub struct Stalled {
    what: String,
    limit: Duration,
}

impl fmt::Display for Stalled {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "waited for {}: for {} s nothing has moved (no byte read or written, no processor \
             time used)",
            self.what,
            self.limit.as_secs()
        )
    }
}

impl Watch {
    /// `guest_runs`: its processor time is part of the program's.
    pub(super) fn new(pid: i32, files: &NodePaths, guest_runs: bool, limit: Duration) -> Self {
        let first = Trace::of(pid, files, guest_runs);
        Self {
            pid,
            files: files.clone(),
            guest_runs,
            limit,
            first,
            last: first,
            looked: Instant::now(),
            still: Duration::ZERO,
        }
    }

    /// Fails with [`Stalled`], and the last lines of QEMU's log, once nothing has moved for
    /// the limit. May be called as often as one likes. `what`: is waited for.
    pub(super) fn check(&mut self, what: &str) -> Result<()> {
        let since = self.looked.elapsed();
        if since < BETWEEN {
            return Ok(());
        }
        self.looked = Instant::now();
        let now = Trace::of(self.pid, &self.files, self.guest_runs);
        if now != self.last {
            (self.last, self.still) = (now, Duration::ZERO);
            return Ok(());
        }
        // A process that was stopped itself has not waited meanwhile.
        self.still += since.min(2 * BETWEEN);
        if self.still < self.limit {
            return Ok(());
        }
        Err(anyhow!(log(&self.files)).context(Stalled {
            what: what.to_owned(),
            limit: self.limit,
        }))
    }

    /// The bytes written since the start, as far as the system tells.
    pub(super) fn written(&self) -> u64 {
        let blocks = |trace: &Trace| -> u64 {
            let images = trace.images.iter().flatten();
            images.map(|image| image.blocks).sum()
        };
        let grown = blocks(&self.last).saturating_sub(blocks(&self.first)) * 512;
        grown.max(self.transferred(|transfer| transfer.written))
    }

    /// The bytes read since the start, as far as the system tells.
    pub(super) fn read(&self) -> u64 {
        self.transferred(|transfer| transfer.read)
    }

    fn transferred(&self, which: fn(Transfer) -> u64) -> u64 {
        match (self.first.transfer, self.last.transfer) {
            (Some(first), Some(last)) => which(last).saturating_sub(which(first)),
            _ => 0,
        }
    }
}

impl Trace {
    fn of(pid: i32, files: &NodePaths, guest_runs: bool) -> Self {
        let image = |file: PathBuf| {
            let found = file.metadata().ok()?;
            Some(Image {
                length: found.len(),
                blocks: found.blocks(),
                changed: (found.mtime(), found.mtime_nsec()),
            })
        };
        let usage = (!guest_runs).then(|| Usage::of(pid)).flatten();
        Self {
            images: [image(files.disk()), image(files.firmware_variables())],
            transfer: Transfer::of(pid),
            processor: usage.map(|usage| usage.processor),
        }
    }
}

/// What QEMU has said last.
pub(super) fn log(files: &NodePaths) -> String {
    let (file, said) = (files.qemu_log(), complaint(files));
    match said.starts_with(&*file.to_string_lossy()) {
        true => said, // that it is empty
        false => format!("last lines of {}:\n{said}", file.display()),
    }
}

/// How far a save, a load or a removal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amount {
    /// In bytes, like the total.
    pub done: u64,
    pub total: Total,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Total {
    Unknown,
    About(u64),
    AtMost(u64),
}

impl fmt::Display for Amount {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let done = self.done >> 20;
        match self.total {
            Total::Unknown => write!(out, "{done} MiB"),
            Total::About(total) => write!(out, "{done} of about {} MiB", total >> 20),
            Total::AtMost(total) => write!(out, "{done} of at most {} MiB", total >> 20),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::thread::sleep;

    use super::*;
    use common::state::Paths;

    fn files(folder: &std::path::Path) -> NodePaths {
        let files = Paths::new(folder).node("east");
        files.create().unwrap();
        std::fs::write(files.disk(), "").unwrap();
        files
    }

    /// Checks until it stands still, for at most `limit`.
    fn stands_still(watch: &mut Watch, limit: Duration) -> Option<anyhow::Error> {
        let start = Instant::now();
        while start.elapsed() < limit {
            if let Err(error) = watch.check("its end") {
                return Some(error);
            }
            sleep(Duration::from_millis(20));
        }
        None
    }

    #[test]
    fn a_sleeping_program_stands_still_and_a_growing_image_moves() {
        let folder = tempfile::tempdir().unwrap();
        let files = files(folder.path());
        let mut program = Command::new("sleep").arg("600").spawn().unwrap();
        let pid = i32::try_from(program.id()).unwrap();
        // It has started.
        sleep(Duration::from_millis(500));
        let limit = Duration::from_secs(2);

        let mut watch = Watch::new(pid, &files, false, limit);
        let long = Duration::from_secs(60);
        let error = stands_still(&mut watch, long).expect("it moves");
        assert!(error.downcast_ref::<Stalled>().is_some(), "{error:#}");
        let told = format!("{error:#}");
        assert!(
            told.starts_with("waited for its end: for 2 s nothing has moved"),
            "{told}"
        );
        assert!(told.ends_with("qemu.log is empty"), "{told}");

        let mut watch = Watch::new(pid, &files, false, limit);
        let end = Instant::now() + 2 * limit;
        while Instant::now() < end {
            std::fs::write(files.disk(), vec![1; 1 << 20]).unwrap();
            watch.check("its end").unwrap();
            sleep(Duration::from_millis(50));
        }
        assert!(watch.written() >= 1 << 20);
        program.kill().unwrap();
        program.wait().unwrap();
    }

    #[test]
    fn a_guest_that_runs_is_no_progress() {
        let folder = tempfile::tempdir().unwrap();
        let files = files(folder.path());
        let mut program = Command::new("sh")
            .args(["-c", "while :; do :; done"])
            .spawn()
            .unwrap();
        let pid = i32::try_from(program.id()).unwrap();
        sleep(Duration::from_millis(500));
        let (limit, long) = (Duration::from_secs(2), Duration::from_secs(60));
        let mut works = Watch::new(pid, &files, false, limit);
        let moves = stands_still(&mut works, 3 * limit).is_none();
        let mut runs = Watch::new(pid, &files, true, limit);
        let stands = stands_still(&mut runs, long).is_some();
        program.kill().unwrap();
        program.wait().unwrap();
        assert!(moves && stands, "{moves} {stands}");
    }

    #[test]
    fn amounts_read_like_amounts() {
        let amount = |total| Amount {
            done: 412 << 20,
            total,
        };
        let (about, most) = (Total::About(730 << 20), Total::AtMost(3 << 30));
        assert_eq!(amount(about).to_string(), "412 of about 730 MiB");
        assert_eq!(amount(most).to_string(), "412 of at most 3072 MiB");
        assert_eq!(amount(Total::Unknown).to_string(), "412 MiB");
    }
}
