//! cluster.env and the environment: sizes and ports that win over cluster.json's
//! `machines`, `apiPort` and `sshPortBase`. The environment wins over the file.

use std::collections::{BTreeMap, HashMap};

use super::problem::{Place, Problem, suggest};

pub const WORKER_MEM: &str = "WORKER_MEM";
pub(super) const WORKER_CPUS: &str = "WORKER_CPUS";
pub const CONTROL_PLANE_MEM: &str = "CONTROL_PLANE_MEM";
pub(super) const CONTROL_PLANE_CPUS: &str = "CONTROL_PLANE_CPUS";
pub(super) const DISK_SIZE: &str = "DISK_SIZE";
pub(super) const API_PORT: &str = "API_PORT";
pub(super) const SSH_PORT_BASE: &str = "SSH_PORT_BASE";

/// Every name that cluster.env may hold and that is taken from the environment.
pub const KEYS: [&str; 7] = [
    WORKER_MEM,
    WORKER_CPUS,
    CONTROL_PLANE_MEM,
    CONTROL_PLANE_CPUS,
    DISK_SIZE,
    API_PORT,
    SSH_PORT_BASE,
];

/// A number and where it was written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setting {
    pub(super) number: u32,
    pub(super) place: Place,
}

/// What is set, by key; problems with the rest are added to `problems`.
///
/// An empty variable of the environment counts as not set.
pub(super) fn settings(
    file: &str,
    environment: &BTreeMap<String, String>,
    problems: &mut Vec<Problem>,
) -> HashMap<&'static str, Setting> {
    let mut written: HashMap<&'static str, (String, Place)> = HashMap::new();
    for (index, line) in file.lines().enumerate() {
        let line_number = index + 1;
        let place = Place::Env { line: line_number };
        let (key, value) = match assignment(line) {
            Ok(None) => continue,
            Ok(Some(assignment)) => assignment,
            Err((reason, hint)) => {
                problems.push(Problem {
                    place,
                    subject: String::new(),
                    reason,
                    hint,
                });
                continue;
            }
        };
        let Some(known) = KEYS.into_iter().find(|known| *known == key) else {
            problems.push(Problem {
                place,
                subject: key.clone(),
                reason: format!("there is no setting {key:?}"),
                hint: suggest(&key, &KEYS),
            });
            continue;
        };
        if let Some((_, Place::Env { line: first })) = written.get(known) {
            problems.push(Problem {
                place,
                subject: key,
                reason: format!("this is already set (line {first})"),
                hint: "delete one of the two lines".to_owned(),
            });
            continue;
        }
        written.insert(known, (value, place));
    }
    for known in KEYS {
        if let Some(value) = environment.get(known).filter(|value| !value.is_empty()) {
            written.insert(known, (value.clone(), Place::Environment));
        }
    }
    let mut settings = HashMap::new();
    for (key, (value, place)) in written {
        match number(key, &value) {
            Some(number) => {
                settings.insert(key, Setting { number, place });
            }
            None => problems.push(Problem {
                place,
                subject: key.to_owned(),
                reason: format!("{value:?} is not a whole number"),
                hint: format!("write {}", example(key)),
            }),
        }
    }
    settings
}

/// The text of cluster.env with these settings: each in the line that has its key, of which
/// the rest stays, or else in a line at the end.
pub(super) fn with_settings(text: &str, settings: &[(&'static str, u32)]) -> String {
    let mut missing: Vec<_> = settings.to_vec();
    let mut written = String::new();
    for line in text.split_inclusive('\n') {
        let key = assignment(line.trim_end())
            .ok()
            .flatten()
            .map(|(key, _)| key);
        let found = missing
            .iter()
            .position(|(known, _)| key.as_deref() == Some(known));
        let Some((key, number)) = found.map(|at| missing.remove(at)) else {
            written += line;
            continue;
        };
        // It has the key and =, or it would be no assignment; numbers have no space.
        let start = line.find('=').map_or(line.len(), |at| at + 1);
        let end = line[start..]
            .find(|c: char| c.is_whitespace())
            .map_or(line.len(), |at| start + at);
        // A key in quotes is written anew, without them.
        written += match line[..start].trim().trim_start_matches("export").trim() {
            plain if plain.strip_suffix('=') == Some(key) => &line[..start],
            _ => "",
        };
        if !written.ends_with('=') {
            written += &format!("{key}=");
        }
        written += &format!("{number}{}", &line[end..]);
    }
    for (key, number) in missing {
        if !written.is_empty() && !written.ends_with('\n') {
            written.push('\n');
        }
        written += &format!("{key}={number}\n");
    }
    written
}

fn example(key: &str) -> &'static str {
    match key {
        WORKER_MEM => "the memory in MiB, such as WORKER_MEM=8192",
        CONTROL_PLANE_MEM => "the memory in MiB, such as CONTROL_PLANE_MEM=8192",
        WORKER_CPUS => "a number of processors, such as WORKER_CPUS=2",
        CONTROL_PLANE_CPUS => "a number of processors, such as CONTROL_PLANE_CPUS=2",
        DISK_SIZE => "the disk's size in GiB, such as DISK_SIZE=20",
        SSH_PORT_BASE => "a TCP port, such as SSH_PORT_BASE=22000",
        _ => "a TCP port, such as API_PORT=6443",
    }
}

fn number(key: &str, value: &str) -> Option<u32> {
    let digits = if key == DISK_SIZE {
        value.strip_suffix('G').unwrap_or(value)
    } else {
        value
    };
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| plain)
}

/// One line as a shell would read it: `KEY=VALUE`, `export KEY=VALUE`, quotes,
/// comments. The error is a reason and a hint.
fn assignment(line: &str) -> Result<Option<(String, String)>, (String, String)> {
    let refuse = |reason: &str, hint: &str| Err((reason.to_owned(), hint.to_owned()));
    let Some(words) = shlex::split(line) else {
        return refuse("a quote is not closed", "close it, or write no quotes");
    };
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let words = match words.as_slice() {
        ["export", rest @ ..] => rest,
        all => all,
    };
    match words {
        [] => Ok(None),
        [word] => match word.split_once('=') {
            Some((key, value)) => Ok(Some((key.to_owned(), value.to_owned()))),
            None => refuse("there is no = in this line", "write KEY=VALUE"),
        },
        [_, equals, ..] if equals.starts_with('=') => refuse(
            "a shell takes no space before =",
            "write KEY=VALUE without spaces",
        ),
        [word, ..] if word.ends_with('=') => refuse(
            "a shell takes no space after =",
            "write KEY=VALUE without spaces",
        ),
        _ => refuse(
            "there is more than one word in this line",
            "write KEY=VALUE, one a line",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_written_where_it_stands() {
        let set =
            |text: &str| with_settings(text, &[(CONTROL_PLANE_MEM, 2048), (WORKER_MEM, 1024)]);
        assert_eq!(
            set(
                "# WORKER_MEM=1\nCONTROL_PLANE_MEM=8192 # much\nWORKER_CPUS=2\n export WORKER_MEM=\"4096\""
            ),
            "# WORKER_MEM=1\nCONTROL_PLANE_MEM=2048 # much\nWORKER_CPUS=2\n export WORKER_MEM=1024"
        );
        assert_eq!(set(""), "CONTROL_PLANE_MEM=2048\nWORKER_MEM=1024\n");
        assert_eq!(
            set("DISK_SIZE=20\nWORKER_MEM="),
            "DISK_SIZE=20\nWORKER_MEM=1024\nCONTROL_PLANE_MEM=2048\n"
        );
        assert_eq!(
            set("'WORKER_MEM=3072'\r\n"),
            "WORKER_MEM=1024\r\nCONTROL_PLANE_MEM=2048\n"
        );
    }
}
