use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::thread::{JoinHandle, spawn};

use super::*;

/// An agent that has an old answer in its channel, and replies with `replies` in turn.
fn agent(socket: &Path, replies: Vec<Value>) -> JoinHandle<Vec<Value>> {
    let listener = UnixListener::bind(socket).unwrap();
    spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut writer = stream;
        let mut requests = Vec::new();
        let mut replies = replies.into_iter();
        loop {
            let mut line = Vec::new();
            if reader.read_until(b'\n', &mut line).unwrap() == 0 {
                return requests;
            }
            let start = line
                .iter()
                .rposition(|byte| *byte == 0xff)
                .map_or(0, |at| at + 1);
            let request: Value = serde_json::from_slice(&line[start..]).unwrap();
            if request["execute"] == "guest-sync-delimited" {
                let id = &request["arguments"]["id"];
                writer
                    .write_all(b"turn\": 6}\n{\"return\": 7}\n{\"retu\xff")
                    .unwrap();
                writeln!(writer, "{}", json!({ "return": id })).unwrap();
            } else {
                writeln!(writer, "{}", replies.next().unwrap()).unwrap();
                requests.push(request);
            }
        }
    })
}

#[test]
fn a_program_runs_after_what_an_earlier_connection_left() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("a");
    let replies = vec![
        json!({ "return": { "pid": 9 } }),
        json!({ "return": { "exited": false } }),
        json!({ "return": { "exited": true, "exitcode": 3, "out-data": "aGk=", "err-data": "bm8=" } }),
    ];
    let guest = agent(&socket, replies);
    let limit = Duration::from_secs(5);
    let mut agent = Agent::connect(&socket).unwrap();
    let output = agent.exec(&["sh", "-c", "…"], limit).unwrap();
    assert_eq!(
        (output.code, output.stdout.as_str(), output.stderr.as_str()),
        (3, "hi", "no")
    );
    drop(agent);
    let requests = guest.join().unwrap();
    assert_eq!(
        requests[0],
        json!({ "execute": "guest-exec", "arguments": {
            "path": "sh", "arg": ["-c", "…"], "capture-output": true
        } })
    );
}

#[test]
fn a_program_gets_its_input() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("a");
    let replies = vec![
        json!({ "return": { "pid": 9 } }),
        json!({ "return": { "exited": true, "exitcode": 0 } }),
    ];
    let guest = agent(&socket, replies);
    let mut agent = Agent::connect(&socket).unwrap();
    let limit = Duration::from_secs(5);
    let argv = ["sh", "-c", r#"echo "input-data":"""#];
    agent.exec_with_input(&argv, b"hi\0", limit).unwrap();
    drop(agent);
    assert_eq!(
        guest.join().unwrap()[0],
        json!({ "execute": "guest-exec", "arguments": {
            "path": "sh", "arg": argv[1..], "capture-output": true, "input-data": "aGkA"
        } })
    );
}

#[test]
fn an_agent_that_does_not_answer_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("a");
    let _listener = UnixListener::bind(&socket).unwrap();
    let start = Instant::now();
    let error = Agent::connect_within(&socket, Duration::from_millis(300)).unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(60));
    assert!(
        format!("{error:#}").contains("the guest agent does not answer"),
        "{error:#}"
    );
}

#[test]
fn a_refusal_is_told_in_the_agents_words() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("a");
    let reply = json!({ "error": { "class": "GenericError", "desc": "Guest agent command failed, No such file" } });
    let _guest = agent(&socket, vec![reply]);
    let limit = Duration::from_secs(5);
    let error = Agent::connect(&socket)
        .unwrap()
        .exec(&["/no"], limit)
        .unwrap_err();
    let text = format!("{error:#}");
    assert!(text.contains("No such file"), "{text}");
}
