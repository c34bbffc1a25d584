//! A cluster of stand-ins: what looks like a running machine from outside.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use common::state::{NodePaths, Paths};
use model::topology::{self, NodeName};
use pki::Identity;
use serde_json::{Value, json};

use crate::api_server::{Authority, serve, serve_as};

/// What `systemctl list-units` prints of units in these states.
pub(crate) fn listed(units: &[(&str, &str)]) -> String {
    units
        .iter()
        .map(|(unit, state)| format!("{unit}.service loaded {state} {state} What it is for\n"))
        .collect()
}

/// base64 of what a guest's program printed.
pub(crate) fn base64(text: impl AsRef<[u8]>) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for block in text.as_ref().chunks(3) {
        let bits = (0..3).fold(0_u32, |bits, at| {
            bits << 8 | u32::from(block.get(at).copied().unwrap_or(0))
        });
        for place in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * place) & 63) as usize];
            out.push(if place <= block.len() {
                digit as char
            } else {
                '='
            });
        }
    }
    out
}

/// Another cluster on this host may have the usual ones.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

pub(crate) struct Cluster {
    folder: tempfile::TempDir,
    pub(crate) paths: Paths,
    machines: BTreeMap<String, Child>,
    pub(crate) port: u16,
    /// SSH_PORT_BASE.
    ssh_ports: u16,
}

pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Cluster {
    /// alpha and sigma with the bridge plugin, and an API server that answers with `answer`.
    pub(crate) fn new(answer: fn(&str) -> (u16, Value)) -> Self {
        let authority = Authority::new();
        let port = serve(&authority, move |head, _, _| {
            let path = head.split(' ').nth(1).unwrap_or_default();
            let (code, body) = answer(path);
            (code, body.to_string())
        });
        let cluster = Self::written(port, &["sigma"]);
        fs::create_dir_all(cluster.paths.pki()).unwrap();
        let admin = authority.client();
        for (name, text) in [
            ("admin.pem", &admin.certificate_pem),
            ("admin-key.pem", &*admin.key_pem),
            ("ca.pem", &admin.ca_pem),
        ] {
            fs::write(cluster.paths.pki().join(name), text).unwrap();
        }
        cluster
    }

    /// The same with these workers and all that `hardway generate` makes; the API server
    /// hears of methods and bodies, too.
    pub(crate) fn generated(
        workers: &[&str],
        answer: impl Fn(&str, &str, &str) -> (u16, Value) + Send + 'static,
    ) -> Self {
        let mut cluster = Self::written(6443, workers);
        let said = cluster.hardway(&["generate"]);
        assert_eq!(said.code, 0, "{}", said.stderr);
        let read = |name: &str| fs::read_to_string(cluster.paths.pki().join(name)).unwrap();
        let identity = Identity {
            certificate_pem: read("kube-apiserver.pem"),
            key_pem: read("kube-apiserver-key.pem").into(),
            ca_pem: read("ca.pem"),
        };
        cluster.port = serve_as(&identity, move |head, body, _| {
            let mut words = head.split(' ');
            let (method, path) = (words.next().unwrap(), words.next().unwrap_or_default());
            let (code, body) = answer(method, path, body);
            (code, body.to_string())
        });
        cluster.write(workers);
        cluster
    }

    fn written(port: u16, workers: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("cluster.json"), "").unwrap();
        let paths = topology::find(Some(folder.path())).unwrap();
        paths.create_runtime().unwrap();
        let cluster = Self {
            folder,
            paths,
            machines: BTreeMap::new(),
            port,
            ssh_ports: free_port() - 10,
        };
        cluster.write(workers);
        cluster
    }

    /// Writes cluster.json and cluster.env with these workers.
    pub(crate) fn write(&self, workers: &[&str]) {
        let mut nodes = json!({ "alpha": { "role": "control-plane", "address": "10.240.0.10" } });
        for (index, name) in workers.iter().enumerate() {
            nodes[name] =
                json!({ "role": "worker", "address": format!("10.240.0.{}", 21 + index) });
        }
        let json = json!({ "name": "look", "cni": "bridge", "nodes": nodes });
        fs::write(self.paths.cluster_json(), json.to_string()).unwrap();
        let port = self.port;
        fs::write(
            self.paths.cluster_env(),
            format!(
                "API_PORT={port}\nSSH_PORT_BASE={}\n\
                 WORKER_MEM=1024\nCONTROL_PLANE_MEM=2048\nDISK_SIZE=8\n",
                self.ssh_ports
            ),
        )
        .unwrap();
    }

    pub(crate) fn files(&self, node: &str) -> NodePaths {
        self.paths.node(NodeName::parse(node).unwrap())
    }

    /// Only its files say that it is installed.
    pub(crate) fn installed(&self, node: &str) {
        let files = self.files(node);
        fs::create_dir_all(&files.dir).unwrap();
        fs::write(files.installed(), "{}").unwrap();
    }

    /// A machine without a guest agent.
    pub(crate) fn silent_machine(&mut self, node: &str) {
        self.silent_machine_with(node, &[]);
    }

    /// The same with these arguments, which name no files, on its command line.
    pub(crate) fn silent_machine_with(&mut self, node: &str, arguments: &[&str]) {
        self.installed(node);
        let pid_file = self.files(node).qemu_pid();
        fs::write(&pid_file, "").unwrap();
        // It is known by its argument, as QEMU is.
        let process = Command::new("tail")
            .arg("-f")
            .arg(&pid_file)
            .arg("--")
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        fs::write(&pid_file, process.id().to_string()).unwrap();
        let pid = process.id();
        self.machines.insert(node.to_owned(), process);
        // There, and nothing listens.
        for kind in ["qga", "con"] {
            drop(UnixListener::bind(self.socket(node, kind)).unwrap());
        }
        let socket = self.socket(node, "qmp");
        listen(socket, move |stream| {
            let mut writer = stream.try_clone().unwrap();
            let _ = writeln!(writer, "{}", json!({ "QMP": {} }));
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                let request: Value = serde_json::from_str(&line).unwrap();
                let answer = match request["execute"].as_str().unwrap() {
                    "query-status" => json!({ "running": true, "status": "running" }),
                    "system_powerdown" => {
                        end(pid);
                        json!({})
                    }
                    _ => json!({}),
                };
                let answer = json!({ "return": answer, "id": request["id"] });
                let _ = writeln!(writer, "{answer}");
            }
        });
    }

    /// A machine whose guest runs programs as `guest` says (for a program's arguments its
    /// exit code and output), `behind` this host's time.
    pub(crate) fn machine(
        &mut self,
        node: &str,
        behind: Duration,
        guest: impl Fn(&[&str]) -> (i32, String) + Send + 'static,
    ) {
        self.silent_machine(node);
        let pid = self.machines[node].id();
        let socket = self.socket(node, "qga");
        listen(socket, move |stream| {
            let mut writer = stream.try_clone().unwrap();
            let mut reader = BufReader::new(stream);
            let mut output = (0, String::new());
            loop {
                let mut line = Vec::new();
                if reader.read_until(b'\n', &mut line).unwrap_or(0) == 0 {
                    return;
                }
                let start = line.iter().rposition(|byte| *byte == 0xff);
                let request: Value =
                    serde_json::from_slice(&line[start.map_or(0, |at| at + 1)..]).unwrap();
                let arguments = &request["arguments"];
                let answer = match request["execute"].as_str().unwrap() {
                    "guest-sync-delimited" => {
                        let _ = writer.write_all(b"\xff");
                        arguments["id"].clone()
                    }
                    "guest-get-time" => {
                        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
                        json!(u64::try_from((now - behind).as_nanos()).unwrap())
                    }
                    "guest-exec" => {
                        let mut words = vec![arguments["path"].as_str().unwrap()];
                        let rest = arguments["arg"].as_array().unwrap();
                        words.extend(rest.iter().map(|word| word.as_str().unwrap()));
                        output = guest(&words);
                        json!({ "pid": 1 })
                    }
                    // It answers only where it refuses.
                    "guest-shutdown" => match guest(&["guest-shutdown"]) {
                        (0, _) => {
                            end(pid);
                            continue;
                        }
                        (_, why) => {
                            let error = json!({ "error": { "desc": why } });
                            let _ = writeln!(writer, "{error}");
                            continue;
                        }
                    },
                    "guest-exec-status" => json!({
                        "exited": true, "exitcode": output.0, "out-data": base64(&output.1),
                    }),
                    _ => json!({}),
                };
                let _ = writeln!(writer, "{}", json!({ "return": answer }));
            }
        });
    }

    pub(crate) fn socket(&self, node: &str, kind: &str) -> PathBuf {
        self.paths.runtime().join(format!("{node}.{kind}"))
    }

    /// As by SIGKILL: its process id's file stays.
    pub(crate) fn dies(&mut self, node: &str) {
        let mut process = self.machines.remove(node).unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hardway"));
        command.arg("--dir").arg(self.folder.path()).args(arguments);
        command.env_clear();
        // However little memory this host has free.
        command.env("HARDWAY_MEMORY", "100000");
        for name in ["PATH", "XDG_RUNTIME_DIR", "HOME", "HARDWAY_FIRMWARE"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
    }

    /// What it said, with what differs from run to run named in brackets.
    pub(crate) fn hardway(&self, arguments: &[&str]) -> Said {
        let output = self.command(arguments).output().unwrap();
        let text = |bytes: Vec<u8>| {
            String::from_utf8(bytes)
                .unwrap()
                .replace(self.folder.path().to_str().unwrap(), "[cluster]")
                .replace(self.paths.runtime().to_str().unwrap(), "[runtime]")
                .replace(&self.port.to_string(), "[port]")
        };
        Said {
            code: output.status.code().unwrap(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// Runs it until it says `stdout`: on a busy host an answer may come too late.
    pub(crate) fn says(&self, arguments: &[&str], stdout: &str) {
        let end = Instant::now() + Duration::from_secs(120);
        loop {
            let said = self.hardway(arguments);
            assert_eq!((said.code, said.stderr.as_str()), (0, ""));
            if said.stdout == stdout || Instant::now() > end {
                assert_eq!(said.stdout, stdout);
                return;
            }
            sleep(Duration::from_millis(200));
        }
    }
}

/// As a machine that shuts down.
fn end(pid: u32) {
    let ended = Command::new("kill").arg(pid.to_string()).status().unwrap();
    assert!(ended.success());
}

/// One client after the other, until the test ends.
fn listen(socket: PathBuf, serve: impl Fn(UnixStream) + Send + 'static) {
    let _ = fs::remove_file(&socket);
    let listener = UnixListener::bind(socket).unwrap();
    spawn(move || {
        for stream in listener.incoming() {
            serve(stream.unwrap());
        }
    });
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for process in self.machines.values_mut() {
            let _ = process.kill();
            let _ = process.wait();
        }
        let _ = fs::remove_dir_all(self.paths.runtime());
    }
}
