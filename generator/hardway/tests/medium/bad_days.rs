//! Downloads that fail, each told in full.

use std::fs;

use crate::server::{Behaviour, Server};
use crate::support::{Place, bytes, length};

#[test]
fn another_sum_than_the_published_one() {
    let mut wrong = bytes();
    wrong[1_500_000] ^= 1;
    let place = Place::new();
    let server = Server::start(Behaviour {
        sums: Behaviour::good(bytes()).sums,
        ..Behaviour::good(wrong)
    });
    let ended = place.medium(&server, &[]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""));
    insta::assert_snapshot!(ended.stderr);
    assert_eq!(place.files(), Vec::<String>::new());
    assert!(!place.lock().exists());
}

#[test]
fn nobody_answers() {
    let place = Place::new();
    let ended = place.run(&["medium", "--arch", "aarch64"]);
    assert_eq!(ended.code, Some(1));
    insta::assert_snapshot!(ended.stderr);
    let ended = place.run(&["install", "sigma", "--arch", "x86_64"]);
    assert_eq!(ended.code, Some(1));
    insta::assert_snapshot!(ended.stderr);
}

#[test]
fn the_channel_has_no_such_medium() {
    let (place, server) = (Place::new(), Server::start(Behaviour::good(bytes())));
    let ended = place.ended(
        &place
            .command(&[
                "medium",
                "--arch",
                "aarch64",
                "--channel",
                &server.channel(),
            ])
            .output()
            .unwrap(),
        server.port,
    );
    assert_eq!(ended.code, Some(1));
    insta::assert_snapshot!(ended.stderr);
}

#[test]
fn the_checksum_is_a_web_page() {
    let place = Place::new();
    let server = Server::start(Behaviour {
        sums: "<!DOCTYPE html>\n".to_owned(),
        ..Behaviour::good(bytes())
    });
    let ended = place.medium(&server, &[]);
    assert_eq!(ended.code, Some(1));
    insta::assert_snapshot!(ended.stderr);
}

#[test]
fn a_medium_larger_than_the_disk() {
    let place = Place::new();
    let server = Server::start(Behaviour {
        announced: Some(1 << 60),
        ..Behaviour::good(bytes())
    });
    let ended = place.medium(&server, &[]);
    assert_eq!(ended.code, Some(1));
    let (before, after) = ended.stderr.split_once(", and ").unwrap();
    insta::assert_snapshot!(before);
    insta::assert_snapshot!(after.split_once(' ').unwrap().1);
}

#[test]
fn what_came_in_is_kept_when_the_connection_breaks_off_too_often() {
    let place = Place::new();
    let server = Server::start(Behaviour {
        breaks_after: Some(100_000),
        ..Behaviour::good(bytes())
    });
    let ended = place.medium(&server, &[]);
    assert_eq!(ended.code, Some(1));
    insta::assert_snapshot!(ended.stderr);
    assert_eq!(length(&place.part(&bytes())), 500_000);
}

#[test]
fn a_lock_file_that_is_not_ours() {
    let place = Place::new();
    fs::write(place.lock(), "{ \"x86_64\": 1 }").unwrap();
    let ended = place.run(&["medium"]);
    assert_eq!(ended.code, Some(1));
    insta::assert_snapshot!(ended.stderr);
}

#[test]
fn offline_takes_no_network() {
    let place = Place::new();
    let ended = place.run(&["install", "sigma", "--arch", "x86_64", "--offline"]);
    assert_eq!(ended.code, Some(1));
    insta::assert_snapshot!(ended.stderr);
}
