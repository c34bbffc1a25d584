//! What spans machines, as far as it can be seen without one: the API client
//! against a TLS server, the lock, and the verbs where there is no cluster yet.

// Helpers stop a test as its own body does.
#![allow(clippy::unwrap_used)]

#[path = "../common/api_server.rs"]
mod api_server;
mod client;
mod gone;
mod lock;
mod support;
mod verbs;
