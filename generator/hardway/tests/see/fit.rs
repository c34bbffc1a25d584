//! Where the host has less memory than the machines ask for: what would fit, and going on
//! with it.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::support::Cluster;

fn nobody(_: &str, _: &str, _: &str) -> (u16, Value) {
    (404, json!({ "message": "not found" }))
}

const ENV: &str = "\
# Sizes: 8 GiB each.
CONTROL_PLANE_MEM=8192
export WORKER_MEM=8192 # MiB
DISK_SIZE=8
API_PORT=16443
";

/// alpha and sigma, none of them installed.
fn large() -> Cluster {
    let cluster = Cluster::generated(&["sigma"], nobody);
    fs::write(cluster.paths.cluster_env(), ENV).unwrap();
    cluster
}

fn env(cluster: &Cluster) -> String {
    fs::read_to_string(cluster.paths.cluster_env()).unwrap()
}

/// Exit code, stdout and stderr on a host with so many MiB.
fn with(cluster: &Cluster, memory: &str, arguments: &[&str]) -> (i32, String, String) {
    let mut command = cluster.command(arguments);
    said(cluster, command.env("HARDWAY_MEMORY", memory))
}

fn said(cluster: &Cluster, command: &mut Command) -> (i32, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let text = |bytes| {
        let text = String::from_utf8(bytes).unwrap();
        text.replace(cluster.paths.dir.to_str().unwrap(), "[cluster]")
    };
    (status.code().unwrap(), text(stdout), text(stderr))
}

const UP: [&str; 3] = ["up", "--iso", "/nowhere.iso"];
const WROTE: &str = "\
wrote into [cluster]/cluster.env:
  CONTROL_PLANE_MEM=5888 (was 8192)
  WORKER_MEM=5888 (was 8192)
";
const FITTED: &str = "\
# Sizes: 8 GiB each.
CONTROL_PLANE_MEM=5888
export WORKER_MEM=5888 # MiB
DISK_SIZE=8
API_PORT=16443
";

#[test]
fn without_a_terminal_the_hint_is_fit() {
    let cluster = large();
    let hint = |command: &str, sizes: &str| {
        format!(
            "hint: run `hardway {command} --fit`: it writes {sizes} into cluster.env and goes on; \
             or stop other programs\n"
        )
    };
    for arguments in [&UP[..], &["up", "--yes"]] {
        let (code, stdout, stderr) = with(&cluster, "12288", arguments);
        assert_eq!((code, stdout.as_str()), (1, ""));
        assert_eq!(
            stderr,
            "error: the host has too little memory: 2 machines ask for 16640 MiB, and 12288 MiB \
             are free\n"
                .to_owned()
                + &hint("up", "CONTROL_PLANE_MEM=5888 and WORKER_MEM=5888")
        );
    }
    let (code, _, stderr) = with(&cluster, "6000", &["install", "sigma"]);
    assert_eq!(code, 1);
    assert_eq!(
        stderr,
        "error: the host has too little memory: an installation takes 8320 MiB, and 6000 MiB are \
         free\n"
            .to_owned()
            + &hint("install sigma", "WORKER_MEM=5632")
    );
    assert_eq!(env(&cluster), ENV);
}

#[test]
fn fit_writes_what_fits_and_goes_on() {
    let cluster = large();
    let (code, stdout, stderr) = with(&cluster, "12288", &["up", "--dry-run", "--fit"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert_eq!(
        stdout,
        "would write CONTROL_PLANE_MEM=5888 and WORKER_MEM=5888 into cluster.env\n\
         would install and start alpha and sigma\n"
    );
    assert_eq!(env(&cluster), ENV);

    let (code, _, stderr) = with(&cluster, "12288", &[&UP[..], &["--fit"]].concat());
    assert_eq!(code, 1);
    let rest = stderr.strip_prefix(WROTE).unwrap_or_default();
    assert!(rest.contains("/nowhere.iso"), "it goes on: {stderr}");
    assert_eq!(env(&cluster), FITTED);

    // The next run has these sizes too, and --fit has nothing more to do.
    let (_, _, stderr) = with(&cluster, "12288", &[&UP[..], &["--fit"]].concat());
    assert!(
        stderr.starts_with("error: ") && stderr.contains("/nowhere.iso"),
        "{stderr}"
    );
}

#[test]
fn on_a_terminal_a_yes_will_do() {
    let cluster = large();
    let answered = |word: &str| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/see/answer.exp");
        let hardway = cluster.command(&UP);
        let mut command = Command::new("expect");
        command.arg("-f").arg(script).arg(word);
        command
            .arg(hardway.get_program())
            .args(hardway.get_args())
            .env("HARDWAY_MEMORY", "12288");
        let (code, stdout, _) = said(&cluster, &mut command);
        (code, stdout.replace('\r', ""))
    };
    let asked = "\
the host has too little memory: 2 machines ask for 16640 MiB, and 12288 MiB are free. This would fit:
  CONTROL_PLANE_MEM=5888 (now 8192)
  WORKER_MEM=5888 (now 8192)
Type yes to write it into cluster.env and go on: ";
    let (code, text) = answered("no");
    assert_eq!(code, 1);
    assert!(
        text.ends_with(&format!(
            "{asked}no\nerror: not confirmed: nothing was changed\n"
        )),
        "{text}"
    );
    assert_eq!(env(&cluster), ENV);
    let (code, text) = answered("yes");
    assert_eq!(code, 1);
    let (_, rest) = text
        .split_once(&format!("{asked}yes\n{WROTE}"))
        .unwrap_or_default();
    assert!(rest.contains("/nowhere.iso"), "it goes on: {text}");
    assert_eq!(env(&cluster), FITTED);
}

/// A machine that runs has its memory already.
#[test]
fn only_what_does_not_run_is_asked_about() {
    let mut cluster = large();
    cluster.silent_machine("alpha");
    let (code, _, stderr) = with(&cluster, "6000", &UP);
    assert_eq!(code, 1);
    assert_eq!(
        stderr,
        "error: the host has too little memory: sigma asks for 8320 MiB, and 6000 MiB are free\n\
         hint: run `hardway up --fit`: it writes WORKER_MEM=5632 into cluster.env and goes on; or \
         stop other programs\n"
    );
}

/// `up` shuts it down and starts it again.
#[test]
fn a_machine_without_sockets_is_asked_about() {
    let mut cluster = large();
    for name in ["alpha", "sigma"] {
        cluster.silent_machine(name);
    }
    fs::remove_file(cluster.socket("sigma", "qmp")).unwrap();
    let (code, stdout, stderr) = with(&cluster, "6000", &["up", "--dry-run", "--fit"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert_eq!(
        stdout,
        "would write WORKER_MEM=5632 into cluster.env\n\
         would shut down sigma and start it again (its sockets are gone)\n\
         would leave alpha running\n"
    );
}

#[test]
fn where_no_size_fits_nothing_is_written() {
    let cluster = large();
    for (memory, hint) in [
        (
            "4000",
            "stop other programs until 4224 MiB are free: an installation takes that much",
        ),
        ("many", ""),
    ] {
        let (code, stdout, stderr) = with(&cluster, memory, &["up", "--fit"]);
        assert_eq!((code, stdout.as_str()), (1, ""));
        match hint {
            "" => assert_eq!(
                stderr,
                "error: HARDWAY_MEMORY=\"many\" is not a whole number of MiB\n\
                 hint: write a number, such as HARDWAY_MEMORY=12288, or unset HARDWAY_MEMORY\n"
            ),
            hint => assert_eq!(
                stderr,
                format!(
                    "error: the host has too little memory: 2 machines ask for 16640 MiB, and \
                     {memory} MiB are free\nhint: {hint}\n"
                )
            ),
        }
        assert_eq!(env(&cluster), ENV);
    }
}

/// The environment wins over cluster.env: what it sets is not written there in vain.
#[test]
fn what_the_environment_sets_stays() {
    let cluster = large();
    let mut command = cluster.command(&["up"]);
    let command = command
        .env("HARDWAY_MEMORY", "12288")
        .env("WORKER_MEM", "8192");
    let (code, _, stderr) = said(&cluster, command);
    assert_eq!(code, 1);
    assert!(
        stderr.ends_with(
            "hint: run `hardway up --fit`: it writes CONTROL_PLANE_MEM=3840 into cluster.env and \
             goes on; or stop other programs\n"
        ),
        "{stderr}"
    );
}

/// The user of `nix run .#cluster-up` may have no `hardway` on PATH.
#[test]
fn the_hint_of_cluster_up_is_an_app() {
    let cluster = large();
    let app = ["up", "--init", "--verify", "--iso", "/nowhere.iso"];
    let (code, _, stderr) = with(&cluster, "12288", &app);
    assert_eq!(code, 1);
    assert!(
        stderr.ends_with(
            "hint: run `nix run .#cluster-up -- --fit` (without Nix: `hardway up --fit`): it \
             writes CONTROL_PLANE_MEM=5888 and WORKER_MEM=5888 into cluster.env and goes on; or \
             stop other programs\n"
        ),
        "{stderr}"
    );
    let (code, _, stderr) = with(&cluster, "12288", &[&app[..], &["--fit"]].concat());
    assert_eq!(code, 1);
    let rest = stderr.strip_prefix(WROTE).unwrap_or_default();
    assert!(rest.contains("/nowhere.iso"), "it goes on: {stderr}");
}

/// A yes to the removal of nodes is asked for before anything is written.
#[test]
fn nothing_is_written_before_every_answer() {
    let cluster = large();
    cluster.installed("west");
    let (code, stdout, stderr) = with(&cluster, "12288", &["up", "--fit"]);
    assert_eq!((code, stdout.as_str()), (2, ""));
    assert!(
        stderr.starts_with("cluster.json no longer has west."),
        "{stderr}"
    );
    assert_eq!(env(&cluster), ENV);
}

/// cluster.env has one size for all workers, and a running one keeps its memory: a snapshot
/// would note the new size, and could never be loaded.
#[test]
fn the_size_of_a_machine_that_runs_stays() {
    let mut cluster = Cluster::generated(&["gamma", "sigma"], nobody);
    fs::write(cluster.paths.cluster_env(), ENV).unwrap();
    cluster.silent_machine("alpha");
    cluster.silent_machine("gamma");
    let refused = |arguments: &[&str], command: &str| {
        let (code, stdout, stderr) = with(&cluster, "6000", arguments);
        assert_eq!((code, stdout.as_str()), (1, ""), "{arguments:?}");
        assert!(
            stderr.ends_with(&format!(
                " MiB, and 6000 MiB are free\n\
                 hint: run `hardway down && hardway {command} --fit`: cluster.env sets the memory \
                 of gamma too, which must be off for that; or stop other programs until 8320 MiB \
                 are free, or take fewer nodes in cluster.json\n"
            )),
            "{stderr}"
        );
        assert_eq!(env(&cluster), ENV);
    };
    refused(&UP, "up");
    refused(&["up", "--fit"], "up");
    refused(&["up", "--dry-run", "--fit"], "up");
}

/// Snapshots fit machines of the size that they were saved with.
#[test]
fn which_snapshots_no_longer_fit() {
    let cluster = crate::manners::off();
    let small = env(&cluster);
    assert_eq!(cluster.hardway(&["snapshot", "save", "small"]).code, 0);
    let sizes = small.replace("=1024\n", "=8192\n");
    let sizes = sizes.replace("=2048\n", "=8192\n");
    fs::write(cluster.paths.cluster_env(), &sizes).unwrap();
    for name in ["monday", "fresh"] {
        assert_eq!(cluster.hardway(&["snapshot", "save", name]).code, 0);
    }
    // The first one does not fit now, either.
    let lost = "snapshots that you cannot restore with these sizes: fresh, monday";
    let (code, stdout, stderr) = with(&cluster, "12288", &["up", "--dry-run", "--fit"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert!(
        stdout.starts_with(&format!(
            "would write CONTROL_PLANE_MEM=5888 and WORKER_MEM=5888 into cluster.env ({lost})\n"
        )),
        "{stdout}"
    );
    // `up` makes a whole PKI, which a stand-in's would keep it from.
    fs::remove_dir_all(cluster.paths.pki()).unwrap();
    let (_, _, stderr) = with(&cluster, "12288", &["up"]);
    assert!(
        stderr.ends_with(&format!(
            "into cluster.env and goes on ({lost}); or stop other programs\n"
        )),
        "{stderr}"
    );
    let (_, _, stderr) = with(&cluster, "12288", &["up", "--fit"]);
    assert!(stderr.starts_with(&format!("{WROTE}{lost}\n")), "{stderr}");
}

/// A restore starts machines with the sizes of cluster.env, and memory of another size does
/// not fit them.
#[test]
fn no_snapshot_of_a_machine_with_another_size() {
    let mut cluster = crate::manners::off();
    for (node, memory) in [("alpha", "2048"), ("sigma", "8192")] {
        let file = cluster.files(node).installed();
        let record = fs::read(&file).unwrap();
        cluster.silent_machine_with(node, &["-m", memory]);
        fs::write(&file, record).unwrap();
    }
    for arguments in [
        &["snapshot", "save", "now"][..],
        &["snapshot", "save", "now", "--dry-run"],
    ] {
        let said = cluster.hardway(arguments);
        assert_eq!((said.code, said.stdout.as_str()), (1, ""));
        assert_eq!(
            said.stderr,
            "error: sigma runs with 8192 MiB of memory, and cluster.json or cluster.env gives it \
             1024\n\
             hint: start it with its new size: hardway down && hardway up; or write the old size \
             again\n"
        );
    }
}
