//! HTTP, in a thread of its own: a stalled server keeps nobody from Ctrl-C.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use ureq::Agent;
use ureq::http::StatusCode;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use common::report::{Code, INTERRUPTED, WithHint};

/// How long a server may say nothing.
const SILENCE: Duration = Duration::from_secs(60);

/// A client that trusts whom this machine trusts, and takes the environment's proxy
/// (HTTPS_PROXY, NO_PROXY).
///
/// The machine's own certificates rather than a built-in list: behind a company's
/// proxy only those know its authority. They are read for HTTPS alone; a mirror in
/// the same room may do without.
pub(super) fn agent(url: &str) -> Result<Agent> {
    let https = url.starts_with("https://");
    let mut tls = TlsConfig::builder().unversioned_rustls_crypto_provider(Arc::new(
        rustls::crypto::aws_lc_rs::default_provider(),
    ));
    if https {
        tls = tls.root_certs(RootCerts::new_with_certs(&certificates()?));
    }
    Ok(Agent::config_builder()
        .tls_config(tls.build())
        // What began over HTTPS is not led away from it.
        .https_only(https)
        .http_status_as_error(false)
        .timeout_connect(Some(SILENCE))
        .timeout_recv_response(Some(SILENCE))
        .timeout_per_read(Some(SILENCE))
        .user_agent(concat!("hardway/", env!("CARGO_PKG_VERSION")))
        .build()
        .new_agent())
}

fn certificates() -> Result<Vec<Certificate<'static>>> {
    let found = rustls_native_certs::load_native_certs();
    let certificates: Vec<_> = found
        .certs
        .iter()
        .map(|der| Certificate::from_der(der).to_owned())
        .collect();
    if certificates.is_empty() {
        let why = found
            .errors
            .first()
            .map_or(String::new(), |error| format!(": {error}"));
        return Err(anyhow!("this machine trusts no certificate authority{why}")).hint(
            "Debian: apt install ca-certificates; elsewhere set SSL_CERT_FILE to a file of authorities",
        );
    }
    Ok(certificates)
}

/// Refuses what is not the answer that was asked for.
pub(super) fn check(status: StatusCode, wanted: &[StatusCode]) -> Result<()> {
    if !wanted.contains(&status) {
        bail!("the server answers {status}");
    }
    Ok(())
}

/// Runs `body` in a thread and waits for what it gives, or for Ctrl-C.
pub(super) fn attended<T: Send + 'static>(
    cancelled: &AtomicBool,
    body: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let (sender, receiver) = std::sync::mpsc::sync_channel(1);
    std::thread::spawn(move || sender.send(body()));
    match next(&receiver, cancelled)? {
        Some(result) => result,
        None => Err(anyhow!("the request broke off")),
    }
}

/// The next thing that a thread sends; None once it has ended.
pub(super) fn next<T>(receiver: &Receiver<T>, cancelled: &AtomicBool) -> Result<Option<T>> {
    loop {
        check_interrupt(cancelled)?;
        match receiver.recv_timeout(Duration::from_millis(100)) {
            Ok(value) => return Ok(Some(value)),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(None),
        }
    }
}

/// Fails with exit code 130 once the user has asked to stop.
pub(super) fn check_interrupt(cancelled: &AtomicBool) -> Result<()> {
    if cancelled.load(Ordering::SeqCst) {
        return Err(anyhow!("interrupted").context(Code(INTERRUPTED)));
    }
    Ok(())
}
