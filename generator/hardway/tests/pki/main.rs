//! The PKI as its users meet it: what each certificate says, whether openssl and
//! cfssl agree, what is kept and what is issued anew, and how it fails.

// Helpers of tests may panic too; clippy's own exemption sees only the tests themselves.
#![allow(clippy::unwrap_used, clippy::panic)]

#[allow(dead_code)] // The authority here is the cluster's own.
#[path = "../common/api_server.rs"]
mod api_server;
mod cfssl;
mod drop_in;
mod edits;
mod elsewhere;
mod first_roles;
mod identities;
mod import;
mod judge;
mod keep;
mod refuse;
mod renew;
mod rotate;
mod scale;
mod show;
mod support;
mod table;
