//! `hardway top`: what each machine takes of the host, and what is going on in its guest.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::at_once::at_once;
use super::table::{Cell, Tone, table};
use super::wait::words;
use common::state::Paths;
use model::topology::{Node, Topology};
use qemu::process::{self, Running, Usage};

/// Over how long the processor's time is measured.
const SPAN: Duration = Duration::from_secs(1);

/// How long the guest agents may take.
const GUESTS: Duration = Duration::from_secs(3);

/// One machine.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Machine {
    pub name: String,
    pub running: bool,
    /// Of one of the host's processors: 200 is two of them.
    pub cpu_percent: Option<f64>,
    #[serde(rename = "residentMiB")]
    pub resident: Option<u64>,
    /// What the machine may take.
    #[serde(rename = "memoryMiB")]
    pub memory: u64,
    pub guest: Option<Guest>,
    /// Why the guest says nothing.
    pub silent: Option<String>,
    /// What the disk's file takes on the host.
    #[serde(rename = "diskMiB")]
    pub disk: Option<u64>,
    /// How large the disk may grow.
    #[serde(rename = "diskLimitMiB")]
    pub disk_limit: u64,
}

/// The guest's own figures.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Guest {
    /// Over 1, 5 and 15 minutes.
    pub load: [f64; 3],
    #[serde(rename = "usedMiB")]
    pub used: u64,
    #[serde(rename = "totalMiB")]
    pub total: u64,
}

/// Looks at all machines at once; takes a second.
pub fn top(paths: &Paths, topology: &Topology) -> Vec<Machine> {
    at_once(&topology.nodes, |node| machine(paths, node))
}

fn machine(paths: &Paths, node: &Node) -> Machine {
    let guest = node.guest();
    let mut machine = Machine {
        name: node.name.to_string(),
        running: false,
        cpu_percent: None,
        resident: None,
        memory: guest.map_or(0, |guest| u64::from(guest.memory)),
        guest: None,
        silent: None,
        disk: allocated(&paths.node(&node.name).disk()),
        disk_limit: guest.map_or(0, |guest| u64::from(guest.disk) << 10),
    };
    let Some(running) = process::find(paths, &node.name) else {
        return machine;
    };
    machine.running = true;
    let start = Instant::now();
    let before = running.usage();
    match ask(&running) {
        Ok(guest) => machine.guest = Some(guest),
        Err(error) => machine.silent = Some(words(&error)),
    }
    thread::sleep(SPAN.saturating_sub(start.elapsed()));
    let after = running.usage();
    machine.resident = after.map(|usage| usage.resident >> 10);
    machine.cpu_percent = before
        .zip(after)
        .map(|(before, after)| percent(before, after, start.elapsed()));
    machine
}

fn percent(before: Usage, after: Usage, span: Duration) -> f64 {
    let used = after.processor.saturating_sub(before.processor);
    (used.as_secs_f64() / span.as_secs_f64() * 100.0).round()
}

fn ask(running: &Running) -> anyhow::Result<Guest> {
    let mut agent = running.agent_until(Instant::now() + GUESTS)?;
    let output = agent.exec(&["cat", "/proc/loadavg", "/proc/meminfo"], GUESTS)?;
    figures(&output.stdout).ok_or_else(|| {
        anyhow::anyhow!(
            "its /proc says {:?}",
            output.stdout.lines().next().unwrap_or("")
        )
    })
}

/// /proc/loadavg and /proc/meminfo, one after the other (proc(5)).
fn figures(text: &str) -> Option<Guest> {
    let mut load = text.lines().next()?.split(' ').map(str::parse::<f64>);
    let load = [load.next()?.ok()?, load.next()?.ok()?, load.next()?.ok()?];
    let mebibytes = |name: &str| -> Option<u64> {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
        Some(kibibytes >> 10)
    };
    let total = mebibytes("MemTotal:")?;
    Some(Guest {
        load,
        used: total.saturating_sub(mebibytes("MemAvailable:")?),
        total,
    })
}

/// What a sparse file takes, in MiB.
fn allocated(file: &Path) -> Option<u64> {
    // In blocks of 512 bytes, whatever the file system's are.
    std::fs::metadata(file)
        .ok()
        .map(|found| found.blocks() >> 11)
}

/// The table that people read.
pub fn text(machines: &[Machine]) -> String {
    let heads = [
        "NAME",
        "MACHINE",
        "CPU",
        "MEMORY",
        "GUEST LOAD",
        "GUEST MEMORY",
        "DISK",
    ];
    let rows: Vec<Vec<Cell>> = machines.iter().map(row).collect();
    let mut text = table(&heads, &rows);
    for machine in machines {
        if let Some(silent) = &machine.silent {
            let what = format!("{}'s guest says nothing: {silent}", machine.name);
            text += &format!(
                "\n{}\n    hardway console {}\n",
                Tone::Bad.paint(&what),
                machine.name
            );
        }
    }
    text
}

fn row(machine: &Machine) -> Vec<Cell> {
    let or_none = |text: Option<String>| Cell::plain(text.unwrap_or_else(|| "-".to_owned()));
    let of = |part: u64, whole: u64| format!("{} of {} GiB", gibibytes(part), gibibytes(whole));
    vec![
        Cell::plain(&machine.name),
        if machine.running {
            Cell::new("running", Tone::Good)
        } else {
            Cell::new("off", Tone::Doubtful)
        },
        or_none(machine.cpu_percent.map(|percent| format!("{percent:.0} %"))),
        or_none(machine.resident.map(|used| of(used, machine.memory))),
        or_none(machine.guest.as_ref().map(|guest| {
            let [one, five, fifteen] = guest.load;
            format!("{one:.2} {five:.2} {fifteen:.2}")
        })),
        or_none(
            machine
                .guest
                .as_ref()
                .map(|guest| of(guest.used, guest.total)),
        ),
        or_none(machine.disk.map(|used| of(used, machine.disk_limit))),
    ]
}

/// With one decimal, of MiB.
fn gibibytes(mebibytes: u64) -> String {
    let tenths = (mebibytes * 10 + 512) >> 10;
    format!("{}.{}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_guests_figures() {
        let text = "0.52 0.40 0.21 2/180 4242\nMemTotal:  3145728 kB\nMemFree: 1 kB\n\
                    MemAvailable:  2097152 kB\n";
        assert_eq!(
            figures(text),
            Some(Guest {
                load: [0.52, 0.40, 0.21],
                used: 1024,
                total: 3072,
            })
        );
        assert_eq!(figures("cat: not found\n"), None);
    }

    #[test]
    fn two_busy_processors_are_200_percent() {
        let usage = |seconds| Usage {
            processor: Duration::from_secs(seconds),
            resident: 0,
        };
        let span = Duration::from_secs(1);
        assert!((percent(usage(10), usage(12), span) - 200.0).abs() < 0.1);
    }

    #[test]
    fn reads_like_a_table() {
        let mut machine = Machine {
            name: "alpha".to_owned(),
            running: true,
            cpu_percent: Some(45.0),
            resident: Some(1536),
            memory: 3072,
            guest: Some(Guest {
                load: [0.52, 0.4, 0.21],
                used: 921,
                total: 2970,
            }),
            silent: None,
            disk: Some(2150),
            disk_limit: 20 << 10,
        };
        let running = machine.clone();
        machine.name = "sigma".to_owned();
        (machine.running, machine.cpu_percent, machine.resident) = (false, None, None);
        (machine.guest, machine.disk) = (None, None);
        let text = text(&[running, machine]);
        assert_eq!(
            anstream::adapter::strip_str(&text).to_string(),
            "\
NAME   MACHINE  CPU   MEMORY          GUEST LOAD      GUEST MEMORY    DISK
alpha  running  45 %  1.5 of 3.0 GiB  0.52 0.40 0.21  0.9 of 2.9 GiB  2.1 of 20.0 GiB
sigma  off      -     -               -               -               -
"
        );
    }
}
