//! A NixOS channel: the folder in which `latest-nixos-minimal-<arch>-linux.iso`
//! leads to the newest release's medium, with its SHA-256 in a file beside it.

use anyhow::{Context, Result, anyhow};
use ureq::http::StatusCode;
use ureq::http::header::CONTENT_LENGTH;
use ureq::{Agent, ResponseExt};

use super::lock_file::{Pin, Sum};
use super::{Listener, OR_ELSE, remote};
use common::report::WithHint;
use qemu::Arch;

/// Of the release that flake.nix and the nodes' flake take nixpkgs from.
pub const DEFAULT: &str = "https://channels.nixos.org/nixos-26.05";

/// No checksum file is longer.
const LARGEST_SUM: u64 = 4096;

/// The channel's newest medium. Its address is the release's own, which stays the
/// same when the channel moves on.
pub(super) fn latest(channel: &str, arch: Arch, listener: Listener<'_>) -> Result<Pin> {
    let alias = format!(
        "{}/latest-nixos-minimal-{arch}-linux.iso",
        channel.trim_end_matches('/')
    );
    let agent = remote::agent(&alias)?;
    remote::attended(listener.cancelled, move || ask(&agent, &alias, arch))
}

fn ask(agent: &Agent, alias: &str, arch: Arch) -> Result<Pin> {
    let head = || -> Result<(String, u64)> {
        let answer = agent.head(alias).call()?;
        remote::check(answer.status(), &[StatusCode::OK])?;
        let size = answer
            .headers()
            .get(CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok()?.parse().ok())
            .context("the server does not say how large the medium is")?;
        Ok((answer.get_uri().to_string(), size))
    };
    let (url, size) = head()
        .with_context(|| format!("cannot look at {alias}"))
        .hint(OR_ELSE)?;
    let file = format!("{url}.sha256");
    let (sha256, named) = published(agent, &file)
        .with_context(|| format!("cannot read the published SHA-256, {file}"))
        .hint(OR_ELSE)?;
    // A mirror may not redirect; the checksum's line names the release all the same.
    let name = named.unwrap_or_else(|| last_part(&url).to_owned());
    Ok(Pin {
        release: release(&name, arch),
        url,
        sha256,
        size,
    })
}

/// The checksum, and the name of the file that it is of, where it says so.
fn published(agent: &Agent, url: &str) -> Result<(Sum, Option<String>)> {
    let mut answer = agent.get(url).call()?;
    remote::check(answer.status(), &[StatusCode::OK])?;
    let text = answer
        .body_mut()
        .with_config()
        .limit(LARGEST_SUM)
        .read_to_string()?;
    // `<sum>  <file>` as sha256sum writes it; older releases have the sum alone.
    let mut words = text.split_whitespace();
    let sum = Sum::parse(words.next().unwrap_or_default()).map_err(|reason| anyhow!(reason))?;
    let name = words
        .next()
        .map(|name| name.trim_start_matches('*').to_owned());
    Ok((sum, name))
}

pub(super) fn last_part(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or(url)
}

/// `26.05.1234.8eeec934ae0d` of `nixos-minimal-26.05.1234.8eeec934ae0d-x86_64-linux.iso`.
fn release(name: &str, arch: Arch) -> String {
    name.strip_prefix("nixos-minimal-")
        .and_then(|rest| rest.strip_suffix(&format!("-{arch}-linux.iso")))
        .unwrap_or(name)
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_is_read_out_of_the_name() {
        assert_eq!(
            release(
                "nixos-minimal-26.05.1234.8eeec934ae0d-x86_64-linux.iso",
                Arch::X86_64
            ),
            "26.05.1234.8eeec934ae0d"
        );
        assert_eq!(release("other.iso", Arch::Aarch64), "other.iso");
    }

    /// The medium and what is installed from it are of one release.
    #[test]
    fn the_channel_is_the_flakes() {
        let branch = last_part(DEFAULT);
        let flake = include_str!("../../../templates/node-flake.nix");
        assert!(
            flake.contains(&format!("github:NixOS/nixpkgs/{branch}\"")),
            "{branch}"
        );
    }
}
