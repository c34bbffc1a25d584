//! A save on a file system without room for it, under a real QEMU: HARDWAY_SMALL names
//! a folder on one of at most 300 MiB (rehearsal/tests/cluster makes it).

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;

use common::report::render;
use hardway::ops::snapshot::Record;
use qemu::images::Found;

use super::Bench;
use super::snapshot::{NODES, cluster, found, save, status};

/// What is left of the file system: less than two guests' memory, if only the firmware's.
const LEFT: u64 = 4 << 20;

/// Takes all the room but [`LEFT`].
fn fill(file: &PathBuf) {
    let mut filler = File::create(file).unwrap();
    let block = vec![1; 1 << 20];
    let mut taken = 0;
    let full = loop {
        match filler.write_all(&block) {
            Ok(()) => taken += block.len() as u64,
            Err(error) => break error,
        }
        assert!(taken < 300 << 20, "HARDWAY_SMALL is no small file system");
    };
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull, "{full}");
    filler.set_len(taken - LEFT).unwrap();
}

#[test]
#[ignore = "needs a small file system in HARDWAY_SMALL"]
fn a_full_disk_during_a_save_leaves_nothing_half() {
    let small = std::env::var_os("HARDWAY_SMALL").expect("HARDWAY_SMALL names a folder");
    let bench = Bench::in_folder(tempfile::tempdir_in(&small).unwrap());
    let host = cluster(&bench);
    for node in NODES {
        bench.console(node, "Shell>");
    }
    let filler = PathBuf::from(small).join("filler");
    fill(&filler);
    // QEMU says "Input/output error" of a write that found no room.
    let told = render(&save(&bench, "one").unwrap_err());
    assert!(
        told.contains("QEMU's snapshot-save failed")
            && told.contains("hint: make room on the file system of ")
            && told.ends_with(" MiB are free)\n"),
        "{told}"
    );
    let nothing = || {
        for node in NODES {
            assert_eq!(status(&bench, node), "running");
            assert_eq!(found(&bench, &host, node, "hardway-one"), Found::Nowhere);
        }
        assert!(Record::all(&bench.paths()).unwrap().is_empty());
    };
    nothing();

    // With room again, the same name is free.
    fs::remove_file(filler).unwrap();
    save(&bench, "one").unwrap();
    for node in NODES {
        assert_eq!(found(&bench, &host, node, "hardway-one"), Found::Memory);
    }
}
