use std::os::unix::fs::FileTypeExt;
use std::process::{Child, Command};

use rustix::process::Signal;

use super::*;

fn sleeper() -> (Child, i32) {
    let child = Command::new("sleep").arg("60").spawn().unwrap();
    let pid = i32::try_from(child.id()).unwrap();
    (child, pid)
}

fn cluster(folder: &Path) -> (Paths, String, NodePaths) {
    let paths = Paths::new(folder);
    let name = "alpha".to_owned();
    let files = paths.node(&name);
    files.create().unwrap();
    (paths, name, files)
}

#[test]
fn the_pid_of_another_process_is_not_the_machines() {
    let folder = tempfile::tempdir().unwrap();
    let (paths, name, files) = cluster(folder.path());
    let (mut child, pid) = sleeper();
    let mut identity = serde_json::to_value(Identity::of(pid).unwrap()).unwrap();
    fs::write(files.pid(), identity.to_string()).unwrap();
    let running = find(&paths, &name).unwrap();
    assert_eq!(running.pid(), pid);

    // The number was used again: same pid, another start.
    identity["started"] = "earlier".into();
    fs::write(files.pid(), identity.to_string()).unwrap();
    fs::write(files.qemu_pid(), pid.to_string()).unwrap();
    assert!(find(&paths, &name).is_none());
    let impostor = Running {
        identity: serde_json::from_value(identity).unwrap(),
        name,
        sockets: paths.runtime(),
        power: files.fifo_in(),
    };
    impostor.kill().unwrap();
    assert!(child.try_wait().unwrap().is_none(), "a stranger was killed");
    assert!(running.alive());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!running.alive());
}

#[test]
fn a_zombie_is_no_machine() {
    let (mut child, pid) = sleeper();
    let identity = Identity::of(pid).unwrap();
    assert!(identity.alive());
    identity.signal(Signal::KILL).unwrap();
    assert!(
        identity.wait(END),
        "not yet waited for, and taken for alive"
    );
    child.wait().unwrap();
}

/// QEMU's own pid file is believed where the process names that file.
#[test]
fn a_machine_that_only_qemu_has_noted_is_found_and_noted() {
    let folder = tempfile::tempdir().unwrap();
    let (paths, name, files) = cluster(folder.path());
    let mut child = Command::new("sh")
        .args(["-c", "sleep 60; :"])
        .arg(files.qemu_pid())
        .spawn()
        .unwrap();
    fs::write(files.qemu_pid(), format!("{}\n", child.id())).unwrap();
    // The kernel shows a program's arguments a moment after it has begun.
    let identity = Identity::of(i32::try_from(child.id()).unwrap()).unwrap();
    while identity.command_line().is_empty() {
        std::thread::sleep(Duration::from_millis(10));
    }
    let found = find(&paths, &name).unwrap();
    assert!(files.pid().is_file());
    fs::remove_file(files.qemu_pid()).unwrap();
    assert_eq!(find(&paths, &name), Some(found.clone()));
    found.kill().unwrap();
    assert!(!child.wait().unwrap().success());
    assert_eq!(find(&paths, &name), None);
}

/// The folder's name needs quotes in a shell, and is no pattern there.
#[test]
fn the_script_by_hand_leaves_a_machine_that_runs_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (_, _, files) = cluster(&folder.path().join("it's [a] *"));
    let runtime = folder.path().join("runtime");
    write_script(&files, &["true".into()], &runtime, None).unwrap();
    let run = || Command::new("sh").arg(files.argv()).output().unwrap();
    fs::write(files.fifo_in(), "in use").unwrap();

    let mut machine = Command::new("sh")
        .args(["-c", "sleep 60; :"])
        .arg(files.qemu_pid())
        .spawn()
        .unwrap();
    fs::write(files.qemu_pid(), format!("{}\n", machine.id())).unwrap();
    while adopted(&files).is_none() {
        std::thread::sleep(Duration::from_millis(10));
    }
    let output = run();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        format!("the machine runs already (process {})\n", machine.id())
    );
    assert_eq!(fs::read(files.fifo_in()).unwrap(), b"in use");
    machine.kill().unwrap();
    machine.wait().unwrap();

    // Another process has the number by now.
    let (mut child, pid) = sleeper();
    for number in [pid.to_string(), String::new()] {
        fs::write(files.fifo_in(), "of an earlier machine").unwrap();
        fs::write(files.qemu_pid(), number).unwrap();
        let output = run();
        assert!(output.status.success(), "{output:?}");
        let kind = fs::metadata(files.fifo_in()).unwrap().file_type();
        assert!(kind.is_fifo());
        fs::remove_file(files.fifo_in()).unwrap();
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn where_no_fifo_can_be_made_the_script_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let (_, _, files) = cluster(folder.path());
    let runtime = folder.path().join("runtime");
    write_script(&files, &["true".into()], &runtime, None).unwrap();
    // As on a file system without them.
    let script = fs::read_to_string(files.argv()).unwrap();
    assert!(script.contains("\nmkfifo "), "{script}");
    fs::write(files.argv(), script.replace("\nmkfifo ", "\nfalse ")).unwrap();
    let output = Command::new("sh").arg(files.argv()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    let hint = "move the cluster's folder to another one\n";
    assert!(said.ends_with(hint), "{said}");
}
