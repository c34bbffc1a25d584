//! `hardway down`: who was asked, and what is said of a machine that had to be ended by force.

use std::fs::{self, OpenOptions};
use std::io::Read;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::Cluster;

fn obeys(words: &[&str]) -> (i32, String) {
    assert_eq!(words, ["guest-shutdown"]);
    (0, String::new())
}

fn refuses(_: &[&str]) -> (i32, String) {
    (1, "child process has failed to shutdown".to_owned())
}

fn cluster() -> Cluster {
    Cluster::new(|_| (404, json!({})))
}

#[test]
fn a_guest_agent_that_refuses_is_heard_and_the_power_button_pressed() {
    let mut cluster = cluster();
    cluster.machine("alpha", Duration::ZERO, obeys);
    cluster.machine("sigma", Duration::ZERO, refuses);
    let start = std::time::Instant::now();
    let said = cluster.hardway(&["down"]);
    assert_eq!(
        (said.code, said.stdout.as_str()),
        (
            0,
            "alpha is down\n\
             sigma is down, by its power button: the guest agent refuses to shut the guest down: \
             child process has failed to shutdown\n"
        ),
        "{}",
        said.stderr
    );
    assert!(
        start.elapsed() < Duration::from_secs(60),
        "it was waited for in vain"
    );
}

#[test]
fn a_machine_that_cannot_be_asked_is_said_to_be_ended_by_force() {
    let mut cluster = cluster();
    cluster.machine("sigma", Duration::ZERO, obeys);
    std::fs::remove_dir_all(cluster.paths.runtime()).unwrap();
    let said = cluster.hardway(&["down", "--json"]);
    assert_eq!(said.code, 0, "{}", said.stderr);
    let json: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(
        json,
        json!({
            "dryRun": false,
            "stopped": [{
                "node": "sigma",
                "forced": true,
                "asked": "not",
                "reason": "its sockets in [runtime] are gone, and it takes no command from \
                           [cluster]/.hardway/nodes/sigma/qmp.in either: No such file or \
                           directory (os error 2)",
            }],
        })
    );
}

/// With a new start it would get sockets again; this one has no disk to start from.
#[test]
fn up_ends_a_machine_that_cannot_be_asked_and_starts_it_again() {
    let mut cluster = Cluster::generated(&["sigma"], |_, _, _| (404, json!({})));
    for name in ["alpha", "sigma"] {
        cluster.machine(name, Duration::ZERO, obeys);
    }
    std::fs::remove_file(cluster.socket("sigma", "qmp")).unwrap();
    let said = cluster.hardway(&["up", "--dry-run"]);
    assert_eq!(
        (said.code, said.stdout.as_str()),
        (
            0,
            "would shut down sigma and start it again (its sockets are gone)\n\
             would leave alpha running\n"
        ),
        "{}",
        said.stderr
    );
    let said = cluster.hardway(&["up", "--no-snapshot"]);
    assert_eq!(said.code, 1);
    let begins = "\
        sigma can't be asked anything: its sockets in [runtime] are gone; it is shut down and started again\n";
    let ended = "\nsigma could not be asked to shut down and was stopped by force: its sockets in [runtime] are gone,";
    assert!(
        said.stderr.contains(begins) && said.stderr.contains(ended),
        "{}",
        said.stderr
    );
    let running = |name: &str| {
        let name = model::topology::NodeName::parse(name).unwrap();
        qemu::process::find(&cluster.paths, &name).is_some()
    };
    assert!(running("alpha") && !running("sigma"));
}

/// The machine takes the command of its power button, and its guest does nothing about it.
#[test]
fn up_can_be_interrupted_while_such_a_machine_shuts_down() {
    let mut cluster = Cluster::generated(&["sigma"], |_, _, _| (404, json!({})));
    for name in ["alpha", "sigma"] {
        cluster.machine(name, Duration::ZERO, obeys);
    }
    let fifo = cluster.files("sigma").fifo_in();
    let made = Command::new("mkfifo").arg(&fifo).status().unwrap();
    assert!(made.success());
    // Open for both, so that it waits for no writer.
    let mut commands = OpenOptions::new()
        .read(true)
        .write(true)
        .open(fifo)
        .unwrap();
    fs::remove_file(cluster.socket("sigma", "qmp")).unwrap();
    let mut command = cluster.command(&["up", "--no-snapshot"]);
    let command = command.stdout(Stdio::null()).stderr(Stdio::piped());
    let up = command.spawn().unwrap();
    let mut heard = String::new();
    while !heard.contains("system_powerdown") {
        let mut some = [0; 64];
        let length = commands.read(&mut some).unwrap();
        heard += std::str::from_utf8(&some[..length]).unwrap();
    }
    let pid = up.id().to_string();
    let asked = Command::new("kill").args(["-INT", &pid]).status().unwrap();
    assert!(asked.success());
    let output = up.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(said.ends_with("error: interrupted\n"), "{said}");
    let name = model::topology::NodeName::parse("sigma").unwrap();
    assert!(
        qemu::process::find(&cluster.paths, &name).is_some(),
        "it was ended by force"
    );
}
