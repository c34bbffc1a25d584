//! What a download gives, and when there is none.

use std::fs;
use std::process::Stdio;

use crate::server::{Behaviour, Server, sum};
use crate::support::{Place, bytes, length, until};

#[test]
fn the_channels_latest_is_downloaded_once_and_pinned() {
    let (place, server) = (Place::new(), Server::start(Behaviour::good(bytes())));
    let ended = place.medium(&server, &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    insta::assert_snapshot!(ended.stdout);
    insta::assert_snapshot!(ended.stderr);
    insta::assert_snapshot!(place.lock_text(&server));
    insta::assert_snapshot!(server.asked());
    assert_eq!(fs::read(place.cached(&bytes())).unwrap(), bytes());
    assert_eq!(place.files().len(), 1);

    // NixOS' own channel can't be reached from here, and need not be.
    let again = place.run(&["medium", "--arch", "x86_64", "--json"]);
    assert_eq!((again.code, again.stderr.as_str()), (Some(0), ""));
    let port = format!("127.0.0.1:{}", server.port);
    insta::assert_snapshot!(again.stdout.replace(&port, "[server]"));
    assert_eq!(server.asked(), "");
}

#[test]
fn a_colleague_gets_the_pinned_bytes_when_the_channel_has_moved_on() {
    let (first, server) = (Place::new(), Server::start(Behaviour::good(bytes())));
    assert_eq!(first.medium(&server, &[]).code, Some(0));
    server.asked();
    let second = Place::new();
    fs::copy(first.lock(), second.lock()).unwrap();
    let ended = second.run(&["medium", "--arch", "x86_64"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    insta::assert_snapshot!(server.asked());
    assert_eq!(fs::read(second.cached(&bytes())).unwrap(), bytes());
    assert_eq!(first.lock_text(&server), second.lock_text(&server));
}

#[test]
fn an_interrupted_download_goes_on_where_it_stopped() {
    let (place, server) = (Place::new(), Server::start(Behaviour::good(bytes())));
    server.become_(Behaviour {
        stalls_after: Some(2_000_000),
        ..Behaviour::good(bytes())
    });
    let mut child = place
        .command(&["medium", "--arch", "x86_64", "--channel", &server.channel()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    until("the first bytes are written", || {
        (length(&place.part(&bytes())) == 2_000_000).then_some(())
    });
    let sent = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let ended = place.ended(&child.wait_with_output().unwrap(), server.port);
    assert!(
        ended.stderr.ends_with("error: interrupted\n"),
        "{}",
        ended.stderr
    );
    assert!(!place.lock().exists());
    assert_eq!(length(&place.part(&bytes())), 2_000_000);

    server.become_(Behaviour::good(bytes()));
    server.asked();
    let ended = place.medium(&server, &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    insta::assert_snapshot!(ended.stderr);
    insta::assert_snapshot!(server.asked());
    assert_eq!(fs::read(place.cached(&bytes())).unwrap(), bytes());
    assert_eq!(place.files().len(), 1);
}

#[test]
fn a_server_without_ranges_sends_it_all_again() {
    let place = Place::new();
    let server = Server::start(Behaviour {
        ranges: false,
        ..Behaviour::good(bytes())
    });
    fs::create_dir_all(place.media()).unwrap();
    fs::write(place.part(&bytes()), &bytes()[..1_000_000]).unwrap();
    let ended = place.medium(&server, &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(fs::read(place.cached(&bytes())).unwrap(), bytes());
}

#[test]
fn a_connection_that_breaks_off_is_made_again() {
    let place = Place::new();
    let server = Server::start(Behaviour {
        breaks_after: Some(1_000_000),
        ..Behaviour::good(bytes())
    });
    let ended = place.medium(&server, &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    insta::assert_snapshot!(ended.stderr);
    insta::assert_snapshot!(server.asked());
    assert_eq!(fs::read(place.cached(&bytes())).unwrap(), bytes());
}

#[test]
fn two_runs_download_it_once() {
    let place = Place::new();
    let server = Server::start(Behaviour {
        stalls_after: Some(1_000_000),
        ..Behaviour::good(bytes())
    });
    let start = || {
        place
            .command(&["medium", "--arch", "x86_64", "--channel", &server.channel()])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let first = start();
    until("the first bytes are written", || {
        (length(&place.part(&bytes())) == 1_000_000).then_some(())
    });
    let mut second = start();
    let mut said = String::new();
    std::io::BufRead::read_line(
        &mut std::io::BufReader::new(second.stderr.take().unwrap()),
        &mut said,
    )
    .unwrap();
    assert_eq!(
        said,
        "medium: another run is downloading it; waiting for that\n"
    );
    server.go_on();
    for child in [first, second] {
        let ended = place.ended(&child.wait_with_output().unwrap(), server.port);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert_eq!(
            ended.stdout,
            format!("[cluster]/cache/hardway/media/{}.iso\n", sum(&bytes()))
        );
    }
    assert_eq!(server.asked().matches("GET /release/").count(), 3); // two sums, one medium
    assert_eq!(place.files().len(), 1);
}

#[test]
fn a_mirror_that_does_not_redirect_names_the_release_in_its_checksum() {
    let place = Place::new();
    let server = Server::start(Behaviour {
        redirects: false,
        ..Behaviour::good(bytes())
    });
    let ended = place.medium(&server, &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    insta::assert_snapshot!(place.lock_text(&server));
}

#[test]
fn another_medium_in_the_channel_is_taken_when_asked_for() {
    let (place, server) = (Place::new(), Server::start(Behaviour::good(bytes())));
    assert_eq!(place.medium(&server, &[]).code, Some(0));
    let newer = [bytes(), bytes()].concat();
    server.become_(Behaviour::good(newer.clone()));
    fs::remove_file(place.cached(&bytes())).unwrap();
    let refused = place.medium(&server, &[]);
    assert_eq!(refused.code, Some(1));
    insta::assert_snapshot!(refused.stderr);
    assert_eq!(place.medium(&server, &["--update"]).code, Some(0));
    assert!(place.lock_text(&server).contains(&sum(&newer)));
    assert_eq!(fs::read(place.cached(&newer)).unwrap(), newer);
}

#[test]
fn a_file_of_the_cache_that_has_changed_is_downloaded_again() {
    let (place, server) = (Place::new(), Server::start(Behaviour::good(bytes())));
    assert_eq!(place.medium(&server, &[]).code, Some(0));
    fs::write(place.cached(&bytes()), "something else").unwrap();
    let ended = place.run(&["medium", "--arch", "x86_64"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(
        ended
            .stderr
            .starts_with("warning: [cluster]/cache/hardway/media/")
            && ended
                .stderr
                .contains("has changed since it was downloaded; it is removed\n"),
        "{}",
        ended.stderr
    );
    assert_eq!(fs::read(place.cached(&bytes())).unwrap(), bytes());
}

#[test]
fn install_takes_the_pinned_medium() {
    let (place, server) = (Place::new(), Server::start(Behaviour::good(bytes())));
    let ended = place.ended(
        &place
            .command(&[
                "install",
                "sigma",
                "--arch",
                "x86_64",
                "--channel",
                &server.channel(),
            ])
            .output()
            .unwrap(),
        server.port,
    );
    assert_eq!(ended.code, Some(1));
    // It is downloaded, and these bytes are no medium.
    assert!(place.lock().exists());
    assert!(
        ended.stderr.contains("is not an ISO image\n"),
        "{}",
        ended.stderr
    );
}

#[test]
fn https_trusts_whom_the_machine_trusts() {
    let place = Place::new();
    let server = Server::secure(Behaviour::good(bytes()), &place.authority);
    let ended = place.medium(&server, &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(fs::read(place.cached(&bytes())).unwrap(), bytes());

    let stranger = Place::new();
    let ended = stranger.medium(&server, &[]);
    assert_eq!(ended.code, Some(1));
    insta::assert_snapshot!(ended.stderr);
}
