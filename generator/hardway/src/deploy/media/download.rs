//! One download: resumed where an earlier run stopped, checked while it comes in,
//! and in its place only once it is whole.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use fd_lock::RwLock;
use sha2::{Digest, Sha256};
use ureq::Agent;
use ureq::http::StatusCode;
use ureq::http::header::{CONTENT_RANGE, RANGE};

use super::channel::last_part;
use super::lock_file::Pin;
use super::transfer::{Transfer, mebibytes};
use super::{Listener, OR_ELSE, remote};
use common::report::WithHint;

/// How often a connection that broke off is made again.
const TRIES: usize = 5;

const CHUNK: usize = 1 << 18;

/// Downloads the medium into the cache, and gives its path there.
pub(super) fn download(pin: &Pin, folder: &Path, listener: Listener<'_>) -> Result<PathBuf> {
    let whole = folder.join(format!("{}.iso", pin.sha256));
    let part = folder.join(format!("{}.iso.part", pin.sha256));
    let mut waiting = false;
    loop {
        let mut lock = RwLock::new(open(&part)?);
        match lock.try_write() {
            Ok(mut file) => {
                // Whoever held it before has put the file in its place, or removed it.
                let ours = std::fs::metadata(&part)
                    .is_ok_and(|found| file.metadata().is_ok_and(|held| found.ino() == held.ino()));
                if ours && whole.is_file() {
                    // It came between our look for it and this lock, from such a run.
                    std::fs::remove_file(&part)
                        .with_context(|| format!("cannot remove {}", part.display()))?;
                    return Ok(whole);
                }
                if ours {
                    fill(pin, &mut file, &part, listener)?;
                    std::fs::rename(&part, &whole)
                        .with_context(|| format!("cannot write {}", whole.display()))?;
                    return Ok(whole);
                }
                if whole.is_file() {
                    return Ok(whole);
                }
                continue;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => {
                return Err(error).with_context(|| format!("cannot lock {}", part.display()));
            }
        }
        if !waiting {
            (listener.say)("medium: another run is downloading it; waiting for that");
            waiting = true;
        }
        remote::check_interrupt(listener.cancelled)?;
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn open(part: &Path) -> Result<File> {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(part)
        .with_context(|| format!("cannot write {}", part.display()))
        .hint("check who owns the folder; XDG_CACHE_HOME names another")
}

/// Completes the file. What it holds is the beginning: its name is the whole's SHA-256.
fn fill(pin: &Pin, file: &mut File, part: &Path, listener: Listener<'_>) -> Result<()> {
    let cannot_write = || format!("cannot write {}", part.display());
    let mut state = State::of(file, pin.size).with_context(cannot_write)?;
    room(part, pin.size.saturating_sub(state.length))?;
    (listener.say)(&format!(
        "medium: {} ({}) from {}",
        last_part(&pin.url),
        mebibytes(pin.size),
        pin.url
    ));
    if state.length > 0 {
        (listener.say)(&format!(
            "medium: {} are here from an earlier run",
            mebibytes(state.length)
        ));
    }
    let agent = remote::agent(&pin.url)?;
    let transfer = Transfer::new(pin.size, state.length, listener.say);
    let mut tries = 0;
    while state.length < pin.size {
        tries += 1;
        let before = state.length;
        let chunks = begin(&agent, &pin.url, state.length);
        let ended = loop {
            match remote::next(&chunks, listener.cancelled)? {
                Some(Ok(Event::From(0))) if state.length > 0 => {
                    state.restart(file).with_context(cannot_write)?;
                }
                Some(Ok(Event::From(_))) => {}
                Some(Ok(Event::Bytes(bytes))) => {
                    state.add(file, &bytes).with_context(cannot_write).hint(
                        "make room on its disk, or name another folder with XDG_CACHE_HOME",
                    )?;
                    transfer.at(state.length);
                }
                Some(Err(error)) => break Err(error),
                None => break Ok(()),
            }
        };
        if state.length >= pin.size {
            break;
        }
        let error = ended
            .err()
            .unwrap_or_else(|| anyhow!("the connection broke off"));
        // A refusal will be one again; a connection that brought something may go on.
        if state.length <= before || tries == TRIES {
            return Err(error)
                .with_context(|| {
                    format!(
                        "cannot download {} (at {} of {})",
                        pin.url,
                        mebibytes(state.length),
                        mebibytes(pin.size)
                    )
                })
                .hint(format!("`hardway medium` goes on from here; or {OR_ELSE}"));
        }
        transfer.say(&format!(
            "medium: broke off at {} ({error:#}); going on",
            mebibytes(state.length)
        ));
    }
    file.sync_all().with_context(cannot_write)?;
    drop(transfer);
    let found = hex::encode(state.hash.finalize());
    if found == pin.sha256.as_str() && state.length == pin.size {
        return Ok(());
    }
    std::fs::remove_file(part).with_context(|| format!("cannot remove {}", part.display()))?;
    Err(anyhow!(
        "{} has another SHA-256 than was published, and was removed:\n  published {}\n  found     {found}",
        pin.url,
        pin.sha256
    ))
    .hint(format!(
        "run the command again; if it stays so, {OR_ELSE}"
    ))
}

/// What has come in so far.
struct State {
    length: u64,
    hash: Sha256,
}

impl State {
    /// Of what an earlier run left; more than the whole is nothing to go on from.
    fn of(file: &mut File, whole: u64) -> std::io::Result<Self> {
        let mut state = Self {
            length: 0,
            hash: Sha256::new(),
        };
        if file.metadata()?.len() > whole {
            state.restart(file)?;
            return Ok(state);
        }
        file.seek(SeekFrom::Start(0))?;
        state.length = std::io::copy(file, &mut state.hash)?;
        Ok(state)
    }

    fn restart(&mut self, file: &mut File) -> std::io::Result<()> {
        file.set_len(0)?;
        file.seek(SeekFrom::Start(0))?;
        self.length = 0;
        self.hash = Sha256::new();
        Ok(())
    }

    fn add(&mut self, file: &mut File, bytes: &[u8]) -> std::io::Result<()> {
        file.write_all(bytes)?;
        self.hash.update(bytes);
        self.length += bytes.len() as u64;
        Ok(())
    }
}

/// What the thread that reads the network sends.
enum Event {
    /// Where the bytes that follow begin.
    From(u64),
    Bytes(Vec<u8>),
}

fn begin(agent: &Agent, url: &str, from: u64) -> Receiver<Result<Event>> {
    // A few chunks: a slow disk slows the network down, and not the memory up.
    let (sender, receiver) = sync_channel(8);
    let (agent, url) = (agent.clone(), url.to_owned());
    std::thread::spawn(move || {
        if let Err(error) = receive(&agent, &url, from, &sender) {
            // Nobody listens after Ctrl-C.
            let _ = sender.send(Err(error));
        }
    });
    receiver
}

fn receive(agent: &Agent, url: &str, from: u64, sender: &SyncSender<Result<Event>>) -> Result<()> {
    let mut request = agent.get(url);
    if from > 0 {
        request = request.header(RANGE, format!("bytes={from}-"));
    }
    let mut answer = request.call()?;
    remote::check(
        answer.status(),
        &[StatusCode::OK, StatusCode::PARTIAL_CONTENT],
    )?;
    let partial = answer.status() == StatusCode::PARTIAL_CONTENT;
    let begins: Option<u64> = answer.headers().get(CONTENT_RANGE).and_then(|range| {
        range
            .to_str()
            .ok()?
            .strip_prefix("bytes ")?
            .split('-')
            .next()?
            .parse()
            .ok()
    });
    // A server may know no ranges, and then sends it all.
    match (partial, begins) {
        (false, _) => sender.send(Ok(Event::From(0)))?,
        (true, Some(begins)) if begins == from => sender.send(Ok(Event::From(from)))?,
        (true, _) => return Err(anyhow!("the server sent another part than was asked for")),
    }
    let mut body = answer.body_mut().as_reader();
    let mut chunk = vec![0; CHUNK];
    loop {
        let count = body.read(&mut chunk)?;
        if count == 0 {
            return Ok(());
        }
        sender.send(Ok(Event::Bytes(chunk[..count].to_vec())))?;
    }
}

/// Fails before the download when it can't fit.
fn room(part: &Path, wanted: u64) -> Result<()> {
    let folder = part.parent().unwrap_or(part);
    let found = rustix::fs::statvfs(folder)
        .with_context(|| format!("cannot ask for the free space of {}", folder.display()))?;
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    if free >= wanted {
        return Ok(());
    }
    Err(anyhow!(
        "too little room in {}: the medium takes {}, and {} are free",
        folder.display(),
        mebibytes(wanted),
        mebibytes(free)
    ))
    .hint("remove what you can spare, or name another folder with XDG_CACHE_HOME")
}
