//! An API server's stand-in: TLS under an authority of its own, and answers of the test's.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::Arc;

use pki::Identity;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use zeroize::Zeroizing;

/// An authority of one's own and what it signs.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) pem: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(DnType::CommonName, "kubernetes-ca");
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    pub(crate) fn sign(&self, name: &str, usage: ExtendedKeyUsagePurpose) -> Identity {
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate().unwrap();
        Identity {
            certificate_pem: params.signed_by(&key, &self.issuer).unwrap().pem(),
            key_pem: Zeroizing::new(key.serialize_pem()),
            ca_pem: self.pem.clone(),
        }
    }

    pub(crate) fn client(&self) -> Identity {
        self.sign("admin", ExtendedKeyUsagePurpose::ClientAuth)
    }
}

/// Serves `answer` (given the request's head and body, and whether a certificate
/// was shown) on a port of its own, until the test ends.
pub(crate) fn serve(
    authority: &Authority,
    answer: impl Fn(&str, &str, bool) -> (u16, String) + Send + 'static,
) -> u16 {
    let identity = authority.sign("kube-apiserver", ExtendedKeyUsagePurpose::ServerAuth);
    serve_as(&identity, answer)
}

/// The same as a server that has been given its certificate.
pub(crate) fn serve_as(
    identity: &Identity,
    answer: impl Fn(&str, &str, bool) -> (u16, String) + Send + 'static,
) -> u16 {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    let der = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    roots.add(der(&identity.ca_pem)).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone())
        .allow_unauthenticated()
        .build()
        .unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(
            vec![der(&identity.certificate_pem)],
            PrivateKeyDer::from_pem_slice(identity.key_pem.as_bytes()).unwrap(),
        )
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(connection, socket.unwrap());
            let mut head = String::new();
            let mut reader = BufReader::new(&mut stream);
            while let Ok(read) = reader.read_line(&mut head) {
                if read == 0 || head.ends_with("\r\n\r\n") {
                    break;
                }
            }
            let length = head
                .lines()
                .find_map(|line| {
                    let line = line.to_lowercase();
                    line.strip_prefix("content-length: ")?.parse().ok()
                })
                .unwrap_or(0);
            let mut body = vec![0; length];
            if reader.read_exact(&mut body).is_err() || head.is_empty() {
                continue;
            }
            let shown = stream.conn.peer_certificates().is_some();
            let (status, text) = answer(&head, &String::from_utf8_lossy(&body), shown);
            let _ = write!(
                stream,
                "HTTP/1.1 {status} Words\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
                text.len()
            );
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    });
    port
}
