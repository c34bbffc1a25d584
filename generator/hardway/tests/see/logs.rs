//! `hardway logs`: the journal through the guest agent, and what is said without one.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;

use crate::support::Cluster;

fn cluster() -> Cluster {
    Cluster::new(|_| (404, json!({})))
}

/// A journal that grows by a line with each look.
fn journal(words: &[&str]) -> (i32, String) {
    static LOOKS: AtomicUsize = AtomicUsize::new(0);
    assert_eq!(words[0], "journalctl");
    if words.contains(&"--after-cursor=s=0") {
        let look = LOOKS.fetch_add(1, Ordering::SeqCst);
        return (0, format!("later {look}\n-- cursor: s=0\n"));
    }
    (0, format!("{}\n-- cursor: s=0\n", words.join(" ")))
}

#[test]
fn the_journal_of_one_component_or_of_all() {
    let mut cluster = cluster();
    cluster.machine("sigma", Duration::ZERO, journal);
    let said = cluster.hardway(&["logs", "sigma", "kubelet", "-n", "5"]);
    assert_eq!(
        (said.code, said.stderr.as_str(), said.stdout.as_str()),
        (
            0,
            "",
            "journalctl --quiet --no-pager --no-hostname --output=short-iso --show-cursor \
             --unit=kubelet.service --lines=5\n"
        )
    );
    let said = cluster.hardway(&["logs", "sigma", "--json"]);
    assert_eq!(
        said.stdout,
        "journalctl --quiet --no-pager --no-hostname --output=json --show-cursor \
         --unit=hardway-pki.service --unit=containerd.service --unit=kube-proxy.service \
         --unit=kubelet.service --lines=100\n"
    );
}

#[test]
fn follow_shows_what_comes_until_ctrl_c() {
    let mut cluster = cluster();
    cluster.machine("sigma", Duration::ZERO, journal);
    let mut follow = cluster
        .command(&["logs", "sigma", "kubelet.service", "-f"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(follow.stdout.take().unwrap()).lines();
    let mut line = || lines.next().unwrap().unwrap();
    assert!(line().ends_with("--unit=kubelet.service --lines=100"));
    assert_eq!(line(), "later 0");
    assert_eq!(line(), "later 1");
    let pid = follow.id().to_string();
    let sent = Command::new("kill").args(["-INT", &pid]).status().unwrap();
    assert!(sent.success());
    assert_eq!(follow.wait().unwrap().code(), Some(130));
}

#[test]
fn what_cannot_be_shown_is_told() {
    let mut cluster = cluster();
    let said = cluster.hardway(&["logs", "omega"]);
    assert_eq!(
        (said.code, said.stderr.as_str()),
        (
            1,
            "error: cluster.json has no node \"omega\"\nhint: its nodes are alpha, sigma\n"
        )
    );
    let said = cluster.hardway(&["logs", "sigma", "etcd"]);
    assert_eq!(
        (said.code, said.stderr.as_str()),
        (
            1,
            "error: sigma runs no component \"etcd\"\n\
             hint: it has hardway-pki, containerd, kube-proxy, kubelet\n"
        )
    );
    cluster.installed("sigma");
    let said = cluster.hardway(&["logs", "sigma", "kubelet"]);
    assert_eq!(
        (said.code, said.stderr.as_str()),
        (
            1,
            "error: cannot read sigma's journal\n\
             caused by: sigma's machine does not run\nhint: start it: hardway up\n"
        )
    );
    cluster.silent_machine("alpha");
    fs::write(
        cluster.files("alpha").serial_log(),
        "[ OK ] Started etcd\r\n",
    )
    .unwrap();
    let said = cluster.hardway(&["logs", "alpha", "etcd"]);
    let refused = std::io::Error::from(rustix::io::Errno::CONNREFUSED);
    assert_eq!(
        (said.code, said.stderr),
        (
            1,
            format!(
                "error: cannot read alpha's journal\n\
                 caused by: the guest agent does not answer on [runtime]/alpha.qga: \
                 cannot connect to [runtime]/alpha.qga: {refused}\n\
                 caused by: last lines of [cluster]/.hardway/nodes/alpha/serial.log:\n    \
                 [ OK ] Started etcd\n\
                 hint: it may still be starting: `hardway console alpha` shows what it does\n"
            )
        )
    );
}
