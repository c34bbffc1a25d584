//! A channel as channels.nixos.org is one: an alias that leads to a release's file,
//! with the checksum beside that.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use sha2::{Digest, Sha256};

pub(crate) const FILE: &str = "nixos-minimal-26.05.1234.8eeec934ae0d-x86_64-linux.iso";

/// What is served, and how well.
#[derive(Clone)]
pub(crate) struct Behaviour {
    pub(crate) bytes: Vec<u8>,
    /// The text of the checksum's file.
    pub(crate) sums: String,
    /// Whether it knows ranges.
    pub(crate) ranges: bool,
    /// Each answer's body ends, and the connection with it, after so many bytes.
    pub(crate) breaks_after: Option<usize>,
    /// Each answer's body stops there, and the connection stays.
    pub(crate) stalls_after: Option<usize>,
    /// What HEAD says of the size.
    pub(crate) announced: Option<u64>,
    /// Whether the alias leads to the release's file, or is the file.
    pub(crate) redirects: bool,
}

impl Behaviour {
    pub(crate) fn good(bytes: Vec<u8>) -> Self {
        Self {
            sums: format!("{}  {FILE}\n", sum(&bytes)),
            bytes,
            ranges: true,
            breaks_after: None,
            stalls_after: None,
            announced: None,
            redirects: true,
        }
    }
}

pub(crate) fn sum(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// An authority of one's own, for channels over HTTPS.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) pem: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        // Two authorities of one name would be told apart by their signatures only.
        let name = format!("authority {:?}", &key.public_key_raw()[..8]);
        params.distinguished_name.push(DnType::CommonName, name);
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    fn server(&self) -> ServerConfig {
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap()
    }
}

pub(crate) struct Server {
    pub(crate) port: u16,
    scheme: &'static str,
    behaviour: Arc<Mutex<Behaviour>>,
    requests: Arc<Mutex<Vec<String>>>,
    stalling: Arc<AtomicBool>,
}

impl Server {
    pub(crate) fn start(behaviour: Behaviour) -> Self {
        Self::serve(behaviour, None)
    }

    /// One that speaks TLS, with a certificate of this authority.
    pub(crate) fn secure(behaviour: Behaviour, authority: &Authority) -> Self {
        Self::serve(behaviour, Some(Arc::new(authority.server())))
    }

    fn serve(behaviour: Behaviour, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self {
            port: listener.local_addr().unwrap().port(),
            scheme: if tls.is_some() { "https" } else { "http" },
            behaviour: Arc::new(Mutex::new(behaviour)),
            requests: Arc::default(),
            stalling: Arc::new(AtomicBool::new(true)),
        };
        let (behaviour, requests, stalling) = (
            Arc::clone(&server.behaviour),
            Arc::clone(&server.requests),
            Arc::clone(&server.stalling),
        );
        thread::spawn(move || {
            for stream in listener.incoming() {
                let behaviour = behaviour.lock().unwrap().clone();
                let (requests, stalling) = (Arc::clone(&requests), Arc::clone(&stalling));
                let tls = tls.clone();
                thread::spawn(move || {
                    let mut stream = stream.unwrap();
                    // A client may go at any time.
                    let _ = match tls {
                        None => answer(&mut stream, &behaviour, &requests, &stalling),
                        Some(tls) => {
                            let connection = ServerConnection::new(tls).unwrap();
                            let mut stream = StreamOwned::new(connection, stream);
                            let result = answer(&mut stream, &behaviour, &requests, &stalling);
                            stream.conn.send_close_notify();
                            let _ = stream.flush();
                            result
                        }
                    };
                });
            }
        });
        server
    }

    /// The channel's address.
    pub(crate) fn channel(&self) -> String {
        format!("{}://127.0.0.1:{}/nixos-26.05", self.scheme, self.port)
    }

    /// Serves something else from now on.
    pub(crate) fn become_(&self, behaviour: Behaviour) {
        *self.behaviour.lock().unwrap() = behaviour;
    }

    /// Lets answers that stopped go on.
    pub(crate) fn go_on(&self) {
        self.stalling.store(false, Ordering::SeqCst);
    }

    /// What was asked since the last time, one request a line.
    pub(crate) fn asked(&self) -> String {
        self.requests
            .lock()
            .unwrap()
            .drain(..)
            .map(|line| line + "\n")
            .collect()
    }
}

fn answer(
    out: &mut (impl Read + Write),
    behaviour: &Behaviour,
    requests: &Mutex<Vec<String>>,
    stalling: &AtomicBool,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(&mut *out);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace();
    let (Some(method), Some(path)) = (words.next(), words.next()) else {
        return Ok(());
    };
    let (method, path) = (method.to_owned(), path.to_owned());
    let mut from = None;
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(range) = line
            .to_ascii_lowercase()
            .trim()
            .strip_prefix("range: bytes=")
        {
            from = range.trim_end_matches('-').parse::<usize>().ok();
        }
    }
    let range = from.map_or(String::new(), |from| format!(" from {from}"));
    requests
        .lock()
        .unwrap()
        .push(format!("{method} {path}{range}"));

    let alias = "/nixos-26.05/latest-nixos-minimal-x86_64-linux.iso";
    let file = format!("/release/{FILE}");
    let is_file = path == file || (path == alias && !behaviour.redirects);
    if path == alias && behaviour.redirects {
        return write!(
            out,
            "HTTP/1.1 302 Found\r\nlocation: {file}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        );
    }
    if path == format!("{file}.sha256") || path == format!("{alias}.sha256") {
        return write!(
            out,
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{}",
            behaviour.sums.len(),
            behaviour.sums
        );
    }
    if !is_file {
        return write!(
            out,
            "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        );
    }
    let whole = behaviour.bytes.len();
    if method == "HEAD" {
        let size = behaviour.announced.unwrap_or(whole as u64);
        return write!(
            out,
            "HTTP/1.1 200 OK\r\ncontent-length: {size}\r\nconnection: close\r\n\r\n"
        );
    }
    let from = from.filter(|_| behaviour.ranges);
    let body = &behaviour.bytes[from.unwrap_or(0)..];
    match from {
        Some(from) => write!(
            out,
            "HTTP/1.1 206 Partial Content\r\ncontent-range: bytes {from}-{}/{whole}\r\n",
            whole - 1
        )?,
        None => write!(out, "HTTP/1.1 200 OK\r\n")?,
    }
    write!(
        out,
        "content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    )?;
    if let Some(end) = behaviour.breaks_after {
        return out.write_all(&body[..end.min(body.len())]);
    }
    let stop = behaviour.stalls_after.unwrap_or(body.len()).min(body.len());
    out.write_all(&body[..stop])?;
    out.flush()?;
    while stop < body.len() && stalling.load(Ordering::SeqCst) {
        thread::sleep(Duration::from_millis(20));
    }
    out.write_all(&body[stop..])
}
