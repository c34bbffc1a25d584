//! `cfssl gencert`, in process: a request, and an authority or none → cfssl's answer.

use anyhow::{Context, Result};
use time::{Duration, OffsetDateTime};

use super::authority::Signer;
use super::cfssl::{Answer, Config, Request};
use super::issue::Wanted;
use super::key::Key;

/// A new authority, signed with its own key.
pub fn new_authority(request: &[u8]) -> Result<Answer> {
    let wanted = Wanted::authority(&Request::parse(request)?)?;
    let key = Key::generate(wanted.algorithm)?;
    Ok(Answer {
        certificate: Some(wanted.self_signed(&key, OffsetDateTime::now_utc())?),
        request: Some(wanted.signing_request(&key)?),
        key: Some(key.pem()),
    })
}

/// Who signs, as files' bytes.
pub struct Authority<'a> {
    pub certificate: &'a [u8],
    pub key: &'a [u8],
}

/// A new key with a certificate. `hosts` take the place of the request's own.
pub fn new_certificate(
    request: &[u8],
    authority: &Authority<'_>,
    config: &Config,
    profile: Option<&str>,
    hosts: Option<&[String]>,
) -> Result<Answer> {
    let now = OffsetDateTime::now_utc();
    let mut wanted = Wanted::parse(&Request::parse(request)?, config.profile(profile)?)?;
    if let Some(hosts) = hosts {
        wanted = wanted.with_names(hosts.iter())?;
    }
    let signer = Signer::parse(authority.certificate, authority.key, now, Duration::ZERO)
        .context("cannot use the authority")?;
    let key = Key::generate(wanted.algorithm)?;
    Ok(Answer {
        certificate: Some(wanted.sign(&key, signer.issuer()?, now)?),
        request: Some(wanted.signing_request(&key)?),
        key: Some(key.pem()),
    })
}
