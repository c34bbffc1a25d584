//! A cluster's folder with a cache of its own, and `hardway` in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use model::topology;

use crate::server::{Authority, Server, sum};

pub(crate) struct Place {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) authority: Authority,
}

/// How a run ended, with what differs from run to run named by words.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("cluster.json"), topology::default_json()).unwrap();
        // The one authority that a test's machine trusts.
        let authority = Authority::new();
        fs::write(folder.path().join("authority.pem"), &authority.pem).unwrap();
        Self { folder, authority }
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.folder.path().join("medium.lock.json")
    }

    pub(crate) fn lock_text(&self, server: &Server) -> String {
        self.plain(&fs::read_to_string(self.lock()).unwrap(), server.port)
    }

    pub(crate) fn media(&self) -> PathBuf {
        self.folder.path().join("cache/hardway/media")
    }

    pub(crate) fn cached(&self, bytes: &[u8]) -> PathBuf {
        self.media().join(format!("{}.iso", sum(bytes)))
    }

    pub(crate) fn part(&self, bytes: &[u8]) -> PathBuf {
        self.media().join(format!("{}.iso.part", sum(bytes)))
    }

    /// Names of the files in the cache.
    pub(crate) fn files(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.media()) else {
            return Vec::new();
        };
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// `hardway` that can't leave this host: for all but its loopback it would take a
    /// proxy that is not there.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hardway"));
        command
            .arg("--dir")
            .arg(self.folder.path())
            .args(arguments)
            .env("XDG_CACHE_HOME", self.folder.path().join("cache"));
        for variable in [
            "ALL_PROXY",
            "HTTPS_PROXY",
            "HTTP_PROXY",
            "all_proxy",
            "http_proxy",
            "NO_PROXY",
            "HARDWAY_CHANNEL",
            "HARDWAY_ISO",
        ] {
            command.env_remove(variable);
        }
        command
            // However little memory this host has free.
            .env("HARDWAY_MEMORY", "100000")
            .env("https_proxy", "http://127.0.0.1:1")
            .env("no_proxy", "127.0.0.1")
            .env("SSL_CERT_FILE", self.folder.path().join("authority.pem"));
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        self.ended(&self.command(arguments).output().unwrap(), 0)
    }

    /// `hardway medium` for x86_64 from this server's channel.
    pub(crate) fn medium(&self, server: &Server, more: &[&str]) -> Ended {
        let output = self
            .command(&["medium", "--arch", "x86_64", "--channel", &server.channel()])
            .args(more)
            .output()
            .unwrap();
        self.ended(&output, server.port)
    }

    pub(crate) fn ended(&self, output: &Output, port: u16) -> Ended {
        Ended {
            code: output.status.code(),
            stdout: self.plain(&String::from_utf8_lossy(&output.stdout), port),
            stderr: self.plain(&String::from_utf8_lossy(&output.stderr), port),
        }
    }

    fn plain(&self, text: &str, port: u16) -> String {
        text.replace(&self.folder.path().display().to_string(), "[cluster]")
            .replace(&format!("127.0.0.1:{port}"), "[server]")
    }
}

/// Bytes of a medium's kind: many, and none like the next.
pub(crate) fn bytes() -> Vec<u8> {
    (0..3_000_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect()
}

/// Looks until there is something, for at most half a minute.
pub(crate) fn until<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "waited 30 s until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub(crate) fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |found| found.len())
}
