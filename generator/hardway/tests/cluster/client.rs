//! The client of the API server, against a TLS server of the tests' own.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use common::report::render;
use kube::Client;
use pki::Identity;
use serde_json::json;

use crate::api_server::{Authority, serve};

const LIMIT: Duration = Duration::from_secs(10);

fn api_like(head: &str, body: &str, shown: bool) -> (u16, String) {
    if !shown {
        let status = json!({ "kind": "Status", "message": "nodes is forbidden", "code": 403 });
        return (403, status.to_string());
    }
    if head.starts_with("GET /absent") {
        return (404, json!({ "message": "absent" }).to_string());
    }
    (200, json!({ "head": head, "body": body }).to_string())
}

/// A client of `port` as `identity`.
fn client(port: u16, identity: &Identity, limit: Duration) -> anyhow::Result<Client> {
    Client::new(
        port,
        &identity.ca_pem,
        &identity.certificate_pem,
        &identity.key_pem,
        limit,
    )
}

#[test]
fn the_client_shows_its_certificate_and_sends_what_it_says() {
    let authority = Authority::new();
    let port = serve(&authority, api_like);
    let client = client(port, &authority.client(), LIMIT).unwrap();
    let head = |answer: &serde_json::Value| answer["head"].as_str().unwrap().to_owned();

    let got = head(&client.get("/api/v1/nodes").unwrap());
    assert!(got.starts_with("GET /api/v1/nodes HTTP/1.1\r\n"), "{got}");

    let answer = client
        .merge("/api/v1/nodes/sigma", &json!({ "spec": {} }))
        .unwrap();
    let got = head(&answer);
    assert!(got.starts_with("PATCH /api/v1/nodes/sigma "), "{got}");
    assert!(
        got.contains("content-type: application/merge-patch+json\r\n"),
        "{got}"
    );
    assert_eq!(answer["body"], r#"{"spec":{}}"#);

    let answer = client.apply("/apis/x", &json!({ "kind": "X" })).unwrap();
    let got = head(&answer);
    assert!(
        got.starts_with("PATCH /apis/x?fieldManager=hardway&force=true "),
        "{got}"
    );
    assert!(
        got.contains("content-type: application/apply-patch+yaml\r\n"),
        "{got}"
    );
    assert_eq!(answer["body"], r#"{"kind":"X"}"#);

    let got = head(&client.delete("/api/v1/namespaces/x").unwrap());
    assert!(got.starts_with("DELETE /api/v1/namespaces/x "), "{got}");
    assert_eq!(client.find("/absent").unwrap(), None);
}

#[test]
fn a_refusal_carries_the_status_and_kubernetes_words() {
    let authority = Authority::new();
    let port = serve(&authority, api_like);
    let client = Client::anonymous(port, &authority.pem, LIMIT).unwrap();
    let error = client.get("/api/v1/nodes").unwrap_err();
    assert_eq!(kube::status(&error), Some(403));
    assert_eq!(
        render(&error),
        "error: the API server refused GET /api/v1/nodes\n\
         caused by: HTTP 403: nodes is forbidden\n"
    );
}

#[test]
fn a_server_of_another_authority_is_not_believed() {
    let port = serve(&Authority::new(), api_like);
    let client = client(port, &Authority::new().client(), LIMIT).unwrap();
    let error = client.get("/api/v1/nodes").unwrap_err();
    assert_eq!(kube::status(&error), None);
    assert!(format!("{error:#}").contains("certificate"), "{error:#}");
}

#[test]
fn a_server_that_never_answers_costs_the_limit_and_no_more() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let authority = Authority::new();
    let client = client(port, &authority.client(), Duration::from_millis(300)).unwrap();
    let start = Instant::now();
    let error = client.get("/readyz").unwrap_err();
    assert!(
        start.elapsed() < Duration::from_secs(60),
        "{:?}",
        start.elapsed()
    );
    let first = format!("error: no answer to GET https://127.0.0.1:{port}/readyz within 0.3 s\n");
    assert!(render(&error).starts_with(&first), "{error:#}");
}
