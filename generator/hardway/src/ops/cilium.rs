//! Cilium, installed by Helm with the generated values.

use std::ffi::OsString;
use std::net::{TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use sha2::{Digest, Sha256};

use super::child;
use super::interrupt::Interrupt;
use super::tools;
use common::file;
use common::report::WithHint;
use common::state::Paths;
use kube::Client;

/// The chart's version: <https://github.com/cilium/cilium/releases>, April 2026.
pub(super) const VERSION: &str = "1.19.3";
const REPOSITORY: &str = "https://helm.cilium.io/";
/// Where the chart's images come from.
const REGISTRY: &str = "quay.io";
/// How long the registry may take to answer.
const REGISTRY_LIMIT: Duration = Duration::from_secs(5);
/// How long Helm may take: it fetches the chart and creates some 40 objects.
const HELM_LIMIT: Duration = Duration::from_secs(600);

/// Helm's arguments, without the program's name. `chart`: a folder or file instead of the repository.
pub(super) fn helm_arguments(paths: &Paths, chart: Option<&Path>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = ["upgrade", "--install", "cilium"].map(Into::into).into();
    match chart {
        Some(chart) => arguments.push(chart.into()),
        None => {
            let from = ["cilium", "--repo", REPOSITORY, "--version", VERSION];
            arguments.extend(from.map(Into::into));
        }
    }
    arguments.extend(["-n", "kube-system", "-f"].map(Into::into));
    arguments.push(values(paths).into());
    arguments
}

fn values(paths: &Paths) -> PathBuf {
    paths.hosts().join("addons/cilium-values.yaml")
}

/// Helm, or the error that says where to get it.
pub(super) fn helm() -> Result<PathBuf> {
    tools::find(
        "helm",
        "it installs Cilium, the cluster's network (cni: cilium)",
    )
}

/// Installs or upgrades Cilium, unless exactly this was done before and still stands.
/// True when Helm ran.
pub(super) fn install(
    paths: &Paths,
    client: &Client,
    chart: Option<&Path>,
    interrupt: &Interrupt,
) -> Result<bool> {
    let arguments = helm_arguments(paths, chart);
    let stamp = stamp(&arguments, &values(paths))?;
    let record = paths.state().join("cilium");
    let done = std::fs::read_to_string(&record).is_ok_and(|found| found == stamp);
    let stands = client.find("/apis/apps/v1/namespaces/kube-system/daemonsets/cilium")?;
    if done && stands.is_some() {
        return Ok(false);
    }
    run_helm(&helm()?, &arguments, paths, interrupt)?;
    file::replace(&record, stamp.as_bytes(), file::PRIVATE)?;
    Ok(true)
}

/// What Helm was told, arguments and values, as a digest.
fn stamp(arguments: &[OsString], values: &Path) -> Result<String> {
    let text = std::fs::read(values)
        .with_context(|| format!("cannot read {}", values.display()))
        .hint("run `hardway generate`")?;
    let mut digest = Sha256::new();
    for argument in arguments {
        digest.update(argument.as_encoded_bytes());
        digest.update([0]);
    }
    digest.update(text);
    Ok(format!("{:x}\n", digest.finalize()))
}

fn run_helm(
    helm: &Path,
    arguments: &[OsString],
    paths: &Paths,
    interrupt: &Interrupt,
) -> Result<()> {
    let log = paths.state().join("helm.log");
    let command = duct::cmd(helm, arguments)
        .env("KUBECONFIG", paths.kubeconfig())
        .stdin_null()
        .stderr_to_stdout()
        .stdout_path(&log);
    let output = child::run(&command, "helm", HELM_LIMIT, interrupt)?;
    if output.status.success() {
        return Ok(());
    }
    let words = super::wait::tail(&log).unwrap_or_else(|| "it says nothing".to_owned());
    Err(anyhow!(words).context(format!("helm can't install Cilium ({})", output.status)))
        .hint("give a chart on disk with `hardway up --chart DIR`, or set \"cni\": \"bridge\" in cluster.json")
}

/// A warning when the images' registry can't be reached from here, to be shown
/// before an installation that would otherwise end in a long wait.
pub(super) fn registry_warning() -> Option<String> {
    let reason = unreachable(REGISTRY, 443, REGISTRY_LIMIT)?;
    Some(format!(
        "warning: {REGISTRY} can't be reached from here ({reason}). Cilium's images come from \
         there: without them the nodes register and never become Ready. Set \"cni\": \"bridge\" \
         in cluster.json, which needs no registry, or go on if the guests have another way."
    ))
}

/// Why `host` does not take a TCP connection within `limit`; None when it does.
fn unreachable(host: &str, port: u16, limit: Duration) -> Option<String> {
    let (report, outcome) = mpsc::channel();
    let target = (host.to_owned(), port);
    // The resolver has no limit of its own: it gets a thread, which the process outlives.
    std::thread::spawn(move || {
        let connected = target.to_socket_addrs().and_then(|mut addresses| {
            let none = || std::io::Error::other("its name has no address");
            let address = addresses.next().ok_or_else(none)?;
            TcpStream::connect_timeout(&address, limit).map(drop)
        });
        let _ = report.send(connected);
    });
    match outcome.recv_timeout(limit) {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => Some(format!("no answer within {} s", limit.as_secs())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn helm_gets_exactly_these_arguments() {
        let paths = Paths::new("/c");
        assert_eq!(
            helm_arguments(&paths, None),
            [
                "upgrade",
                "--install",
                "cilium",
                "cilium",
                "--repo",
                "https://helm.cilium.io/",
                "--version",
                "1.19.3",
                "-n",
                "kube-system",
                "-f",
                "/c/hosts/addons/cilium-values.yaml"
            ]
        );
        assert_eq!(
            helm_arguments(&paths, Some(Path::new("/charts/cilium"))),
            [
                "upgrade",
                "--install",
                "cilium",
                "/charts/cilium",
                "-n",
                "kube-system",
                "-f",
                "/c/hosts/addons/cilium-values.yaml"
            ]
        );
    }

    #[test]
    fn tells_a_closed_port_from_an_open_one() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_eq!(unreachable("127.0.0.1", port, REGISTRY_LIMIT), None);
        drop(listener);
        let reason = unreachable("127.0.0.1", port, REGISTRY_LIMIT).unwrap();
        assert!(reason.contains("refused"), "{reason}");
    }

    #[test]
    fn a_refused_registry_is_named_with_what_to_do() {
        // The words depend on the host's network; the host name must not resolve anywhere.
        let reason = unreachable("registry.invalid", 443, REGISTRY_LIMIT);
        assert!(reason.is_some());
    }
}
