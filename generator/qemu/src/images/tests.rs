use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::process::{Child, Command, Stdio};

use super::*;

/// A process that is known by its arguments, as QEMU is.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A machine `east` whose QEMU answers everything with `answer`.
fn machine(folder: &Path, answer: Value) -> (Paths, String, Process) {
    let (paths, node) = (Paths::new(folder), "east".to_owned());
    let files = paths.node(&node);
    files.create().unwrap();
    let pid_file = files.qemu_pid();
    std::fs::write(&pid_file, "").unwrap();
    let process = Command::new("tail")
        .arg("-f")
        .arg(&pid_file)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    std::fs::write(&pid_file, process.id().to_string()).unwrap();
    let runtime = paths.create_runtime().unwrap();
    for kind in ["qga", "con"] {
        drop(UnixListener::bind(runtime.join(format!("east.{kind}"))).unwrap());
    }
    let listener = UnixListener::bind(runtime.join("east.qmp")).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let _ = stream.write_all(b"{\"QMP\": {}}\n");
            for line in lines.map_while(Result::ok) {
                let request: Value = serde_json::from_str(&line).unwrap();
                let answer = json!({ "return": answer, "id": request["id"] });
                let _ = stream.write_all(format!("{answer}\n").as_bytes());
            }
        }
    });
    (paths, node, Process(process))
}

/// An earlier run's job that QEMU does not end, with a guest that runs or stands still.
#[test]
fn a_job_that_never_ends_is_given_up() {
    for paused in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let job = json!([{ "id": "hardway-1-snapshot-delete", "status": "running" }]);
        let (paths, node, _process) = machine(folder.path(), job);
        let stall = Duration::from_millis(200);
        let qemu = Path::new("qemu-system-x86_64");
        let mut images = Images::of(qemu, &paths, &node, stall, paused, Arc::default()).unwrap();
        let error = images.look_again().unwrap_err();
        assert_eq!(
            error.to_string(),
            "QEMU answers, and for 0 s has not ended its jobs: \
             [{\"id\":\"hardway-1-snapshot-delete\",\"status\":\"running\"}]"
        );
        let _ = std::fs::remove_dir_all(paths.runtime());
    }
}
