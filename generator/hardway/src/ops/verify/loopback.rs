//! QEMU's user-mode network shows the host's loopback to guests as 10.0.2.2.
//! Nodes may use it; Pods must not: what listens on 127.0.0.1 expects no strangers.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::{Bench, Found, seen};
use crate::ops::machines::in_guest;
use crate::ops::pods::Pod;

/// The host's loopback as a guest sees it (QEMU's manual, `-netdev user`).
const HOST: &str = "10.0.2.2";
/// How long a Pod tries, in seconds: a node gets through at once.
const TRY_SECONDS: u32 = 5;

/// A server on the host's loopback: each worker itself reaches it, no Pod does.
pub(super) fn closed(bench: &Bench<'_>, pods: &[Pod]) -> Result<Found> {
    let bait = Bait::start()?;
    for pod in pods {
        let before = bait.visits();
        // bash, for its /dev/tcp: neither NixOS nor Debian has a plainer client for certain.
        let script = format!(
            "for shell in /bin/bash /run/current-system/sw/bin/bash; do \
             [ -x $shell ] && exec $shell -c 'exec 3<>/dev/tcp/{HOST}/{}'; done; exit 127",
            bait.port
        );
        let node = bench
            .topology
            .node(&pod.node)
            .context("a Pod is on no node of ours")?;
        let control = in_guest(
            bench.paths,
            node,
            &["/bin/sh", "-c", &script],
            bench.limits.command(),
        )?;
        if control.code != 0 || !bait.visited_since(before) {
            bail!(
                "proves nothing: {} itself does not reach {HOST}:{} either ({} {})",
                pod.node,
                bait.port,
                control.code,
                control.stderr.trim()
            );
        }
        let before = bait.visits();
        let said = bench.in_pod(
            pod,
            &format!(
                "wget -q -T {TRY_SECONDS} -O /dev/null http://{HOST}:{}/ 2>&1; echo \"exit $?\"",
                bait.port
            ),
        )?;
        if bait.visits() != before || said.trim().ends_with("exit 0") {
            bail!(
                "a Pod on {} reaches 127.0.0.1:{} of the host through {HOST}",
                pod.node,
                bait.port
            );
        }
    }
    seen(format!(
        "{HOST} answers the nodes and none of {} Pods",
        pods.len()
    ))
}

/// A web server that counts who comes.
struct Bait {
    port: u16,
    visits: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    server: Option<JoinHandle<()>>,
}

impl Bait {
    fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("cannot listen on 127.0.0.1")?;
        listener
            .set_nonblocking(true)
            .context("cannot listen on 127.0.0.1")?;
        let port = listener
            .local_addr()
            .context("cannot listen on 127.0.0.1")?
            .port();
        let visits = Arc::new(AtomicUsize::new(0));
        let stop = Arc::new(AtomicBool::new(false));
        let (count, end) = (Arc::clone(&visits), Arc::clone(&stop));
        let server = std::thread::spawn(move || {
            while !end.load(Ordering::SeqCst) {
                match listener.accept() {
                    Ok((mut visitor, _)) => {
                        count.fetch_add(1, Ordering::SeqCst);
                        let _ = visitor.set_nonblocking(false);
                        let _ = visitor.set_read_timeout(Some(Duration::from_millis(200)));
                        let _ = visitor.read(&mut [0; 1024]);
                        let _ = visitor.write_all(
                            b"HTTP/1.0 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbait",
                        );
                    }
                    Err(_) => std::thread::sleep(Duration::from_millis(20)),
                }
            }
        });
        Ok(Self {
            port,
            visits,
            stop,
            server: Some(server),
        })
    }

    fn visits(&self) -> usize {
        self.visits.load(Ordering::SeqCst)
    }

    /// A visit may be counted a moment after its sender is through.
    fn visited_since(&self, before: usize) -> bool {
        for _ in 0..20 {
            if self.visits() > before {
                return true;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        false
    }
}

impl Drop for Bait {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(server) = self.server.take() {
            let _ = server.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpStream;

    #[test]
    fn the_bait_counts_and_answers() {
        let bait = Bait::start().unwrap();
        assert_eq!(bait.visits(), 0);
        let mut visitor = TcpStream::connect(("127.0.0.1", bait.port)).unwrap();
        visitor.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
        let mut page = String::new();
        visitor.read_to_string(&mut page).unwrap();
        assert!(page.ends_with("bait"), "{page}");
        assert!(bait.visited_since(0));
    }
}
