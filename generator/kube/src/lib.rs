//! A small client of the API server: JSON over HTTPS, our authority only, a client certificate.
//!
//! kubectl would do, but costs a process and its discovery requests each time; waiting
//! for a cluster asks every second, and `status` must answer within two.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use serde_json::Value;
use ureq::http::{Method, Request, Response};
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, AsSendBody, Body, RequestExt};

/// No answer that this program reads is longer: a list of 500 nodes is some 3 MB.
const LARGEST_ANSWER: u64 = 64 << 20;

/// A client of one API server, as one identity.
#[derive(Debug, Clone)]
pub struct Client {
    agent: Agent,
    base: String,
    limit: Duration,
}

/// The API server's own refusal: an HTTP status with Kubernetes' words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub status: u16,
    pub message: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "HTTP {}: {}", self.status, self.message)
    }
}

impl std::error::Error for Refusal {}

/// The HTTP status with which the API server refused, where that is what failed.
pub fn status(error: &anyhow::Error) -> Option<u16> {
    error
        .downcast_ref::<Refusal>()
        .map(|refusal| refusal.status)
}

impl Client {
    /// A client of `https://127.0.0.1:<port>` that shows a certificate, in PEM like its key
    /// and the CA that it trusts; no request takes longer than `limit`.
    pub fn new(
        port: u16,
        ca_pem: &str,
        certificate_pem: &str,
        key_pem: &str,
        limit: Duration,
    ) -> Result<Self> {
        let certificate = Certificate::from_pem(certificate_pem.as_bytes())
            .context("cannot read the client certificate")?;
        let key = PrivateKey::from_pem(key_pem.as_bytes())
            .context("cannot read the client certificate's key")?;
        let client = ClientCert::new_with_certs(&[certificate], key);
        Self::build(port, ca_pem, Some(client), limit)
    }

    /// A client that shows no certificate.
    pub fn anonymous(port: u16, ca_pem: &str, limit: Duration) -> Result<Self> {
        Self::build(port, ca_pem, None, limit)
    }

    fn build(port: u16, ca_pem: &str, client: Option<ClientCert>, limit: Duration) -> Result<Self> {
        // Two while the authority is being replaced.
        let authorities = parse_pem(ca_pem.as_bytes())
            .filter_map(|item| match item {
                Ok(PemItem::Certificate(authority)) => Some(Ok(authority)),
                Ok(_) => None,
                Err(error) => Some(Err(error)),
            })
            .collect::<Result<Vec<_>, _>>()
            .context("cannot read the cluster's authority")?;
        let tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(Arc::new(
                rustls::crypto::aws_lc_rs::default_provider(),
            ))
            .root_certs(RootCerts::new_with_certs(&authorities))
            .client_cert(client)
            .build();
        let agent = Agent::config_builder()
            .tls_config(tls)
            // The server is on this host: a proxy of the environment has no part in it.
            .proxy(None)
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent(concat!("hardway/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        Ok(Self {
            agent,
            base: format!("https://127.0.0.1:{port}"),
            limit,
        })
    }

    /// The same client with another limit.
    pub fn within(&self, limit: Duration) -> Self {
        Self {
            limit,
            ..self.clone()
        }
    }

    pub fn get(&self, path: &str) -> Result<Value> {
        json(path, &self.send(&Method::GET, path, None)?)
    }

    /// The body as it is, for what is not JSON (`/readyz`, a Pod's log).
    pub fn text(&self, path: &str) -> Result<String> {
        self.send(&Method::GET, path, None)
    }

    pub fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let body = ("application/json", body.to_string());
        json(path, &self.send(&Method::POST, path, Some(body))?)
    }

    /// Changes what `body` names and leaves the rest (RFC 7386).
    pub fn merge(&self, path: &str, body: &Value) -> Result<Value> {
        let body = ("application/merge-patch+json", body.to_string());
        json(path, &self.send(&Method::PATCH, path, Some(body))?)
    }

    /// Server-side apply of one object: creates it, or changes it where it differs.
    ///
    /// The body's type is YAML, and JSON is YAML too. It has to be: the API server puts the
    /// body into its audit log as it came, and drops an event whose body is no JSON.
    pub fn apply(&self, path: &str, object: &Value) -> Result<Value> {
        let path = format!("{path}?fieldManager=hardway&force=true");
        let body = ("application/apply-patch+yaml", object.to_string());
        json(&path, &self.send(&Method::PATCH, &path, Some(body))?)
    }

    pub fn delete(&self, path: &str) -> Result<Value> {
        json(path, &self.send(&Method::DELETE, path, None)?)
    }

    /// GET, where absence is an answer and no failure.
    pub fn find(&self, path: &str) -> Result<Option<Value>> {
        match self.get(path) {
            Ok(value) => Ok(Some(value)),
            Err(error) if status(&error) == Some(404) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn run(&self, request: Request<impl AsSendBody>) -> Result<Response<Body>> {
        let request = request.with_agent(&self.agent).configure();
        Ok(request.timeout_global(Some(self.limit)).run()?)
    }

    fn send(&self, method: &Method, path: &str, body: Option<(&str, String)>) -> Result<String> {
        let url = format!("{}{path}", self.base);
        let mut request = Request::builder()
            .method(method)
            .uri(&url)
            .header("accept", "application/json");
        if let Some((content_type, _)) = &body {
            request = request.header("content-type", *content_type);
        }
        let answer = match body {
            Some((_, text)) => request
                .body(text)
                .map_err(anyhow::Error::from)
                .and_then(|request| self.run(request)),
            None => request
                .body(())
                .map_err(anyhow::Error::from)
                .and_then(|request| self.run(request)),
        };
        let mut answer = answer.with_context(|| {
            format!(
                "no answer to {method} {url} within {} s",
                (self.limit.as_secs_f32() * 10.0).round() / 10.0
            )
        })?;
        let text = answer
            .body_mut()
            .with_config()
            .limit(LARGEST_ANSWER)
            .read_to_string()
            .with_context(|| format!("the answer to {method} {url} breaks off"))?;
        if answer.status().is_success() {
            return Ok(text);
        }
        let refusal = Refusal {
            status: answer.status().as_u16(),
            message: message(&text),
        };
        Err(anyhow!(refusal).context(format!("the API server refused {method} {path}")))
    }
}

fn json(path: &str, text: &str) -> Result<Value> {
    serde_json::from_str(text).with_context(|| format!("the answer to {path} is not JSON"))
}

/// Kubernetes wraps its words in a `Status` object; `/readyz` lists every check,
/// of which those that fail matter (`[-]…`); other servers say what they say.
fn message(body: &str) -> String {
    let status = serde_json::from_str::<Value>(body).ok();
    if let Some(words) = status
        .as_ref()
        .and_then(|status| status["message"].as_str())
    {
        return words.to_owned();
    }
    let failing: Vec<&str> = body
        .lines()
        .filter_map(|line| line.strip_prefix("[-]"))
        .collect();
    if failing.is_empty() {
        return body.trim().to_owned();
    }
    failing.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_readyz_only_the_failing_checks_are_told() {
        let body = "[+]ping ok\n[-]poststarthook/rbac/bootstrap-roles failed: reason withheld\n\
                    [+]shutdown ok\nreadyz check failed\n";
        assert_eq!(
            message(body),
            "poststarthook/rbac/bootstrap-roles failed: reason withheld"
        );
        assert_eq!(
            message(r#"{"kind":"Status","message":"forbidden"}"#),
            "forbidden"
        );
        assert_eq!(message("404 page not found\n"), "404 page not found");
    }
}
