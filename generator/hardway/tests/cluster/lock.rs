//! Two runs on one cluster are kept apart.

use common::report::render;
use common::state::Paths;
use hardway::ops::lock;

use crate::support::hardway;

#[test]
fn two_runs_are_kept_apart_and_the_second_is_told_by_whom() {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::new(folder.path());
    let error = lock::hold(&paths, "up", || {
        Ok(lock::hold(&paths, "down", || Ok(())).unwrap_err())
    })
    .unwrap();
    assert_eq!(
        render(&error),
        format!(
            "error: `hardway up` (process {}) is working on this cluster\n\
             hint: wait until it is done, or end it with Ctrl-C\n",
            std::process::id()
        )
    );
    // Free again; and a killed run's text keeps nobody away.
    std::fs::write(paths.lock(), "1 up\n").unwrap();
    lock::hold(&paths, "down", || Ok(())).unwrap();
}

/// At the level of the command: whatever would change the cluster is refused, and a look
/// at it is not.
#[test]
fn a_second_hardway_changes_nothing_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    assert_eq!(hardway(dir, &["init", dir.to_str().unwrap()]).0, 0);
    let refused = format!(
        "error: `hardway up` (process {}) is working on this cluster\n\
         hint: wait until it is done, or end it with Ctrl-C\n",
        std::process::id()
    );
    lock::hold(&Paths::new(dir), "up", || {
        for arguments in [
            &["up"] as &[_],
            &["down"],
            &["install", "sigma"],
            &["restore", "one"],
            &["reset"],
            &["snapshot", "save", "one"],
            &["snapshot", "delete", "one"],
            &["destroy", "--yes"],
        ] {
            let told = hardway(dir, arguments);
            assert_eq!(told, (1, String::new(), refused.clone()), "{arguments:?}");
        }
        for arguments in [&["status"] as &[_], &["snapshot", "list"]] {
            let (code, _, stderr) = hardway(dir, arguments);
            assert!(code < 2 && !stderr.contains("is working"), "{stderr}");
        }
        Ok(())
    })
    .unwrap();
}
