//! `hardway` as a person runs it, on a cluster in a temporary folder.

use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use crate::api_server::Authority;

/// `hardway` on a cluster of its own; nothing of the environment but PATH, and a proxy
/// that is not there, so that no test leaves this host.
pub(crate) fn hardway(dir: &Path, arguments: &[&str]) -> (i32, String, String) {
    let path = std::env::var_os("PATH").unwrap_or_default();
    hardway_with_path(dir, arguments, path.as_ref())
}

pub(crate) fn hardway_with_path(
    dir: &Path,
    arguments: &[&str],
    path: &Path,
) -> (i32, String, String) {
    let mut authority = tempfile::NamedTempFile::new().unwrap();
    authority
        .write_all(Authority::new().pem.as_bytes())
        .unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_hardway"))
        .arg("--dir")
        .arg(dir)
        .args(arguments)
        .env_clear()
        .env("PATH", path)
        // However little memory this host has free.
        .env("HARDWAY_MEMORY", "100000")
        .env("XDG_CACHE_HOME", dir.join("cache"))
        .env("https_proxy", "http://127.0.0.1:1")
        .env("SSL_CERT_FILE", authority.path())
        .output()
        .unwrap();
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

/// A starting point as `hardway init` writes it, with small machines and free ports:
/// whoever runs the tests may have a cluster on the usual ones.
pub(crate) fn cluster() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().to_str().unwrap();
    let (code, _, stderr) = hardway(folder.path(), &["init", dir]);
    assert_eq!(code, 0, "{stderr}");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let ssh = (23_000_u16..60_000).step_by(100).find(|base| {
        let mut nodes = [10, 21, 22].iter();
        nodes.all(|node| TcpListener::bind(("127.0.0.1", base + node)).is_ok())
    });
    let small = format!(
        "WORKER_MEM=2048\nCONTROL_PLANE_MEM=2048\nAPI_PORT={port}\nSSH_PORT_BASE={}\n",
        ssh.unwrap()
    );
    std::fs::write(folder.path().join("cluster.env"), small).unwrap();
    folder
}

/// The starting point's CNI is Cilium.
pub(crate) fn use_bridge(dir: &Path) {
    let path = dir.join("cluster.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let changed = text.replace("\"cilium\"", "\"bridge\"");
    assert_ne!(text, changed);
    std::fs::write(&path, changed).unwrap();
}
