//! Which room imports from which: never from one above it. Between crates, cargo sees to
//! it; between the folders of a crate, this does.

#![allow(clippy::unwrap_used)] // clippy.toml covers test functions, not their helpers

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// A crate's folders and files below src, from the lowest to the highest.
fn arrows_go_down(name: &str, order: &[&str]) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(name)
        .join("src");
    let rooms: BTreeSet<String> = fs::read_dir(&source)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .filter(|room| room != "lib" && room != "main")
        .collect();
    let named: BTreeSet<String> = order.iter().map(ToString::to_string).collect();
    assert_eq!(rooms, named, "the rooms of {name} and this test's list");

    let mut imports = 0;
    let mut up = Vec::new();
    for (place, room) in order.iter().enumerate() {
        for file in walkdir::WalkDir::new(&source) {
            let file = file.unwrap();
            let below = file.path().strip_prefix(&source).unwrap();
            let first = Path::new(
                below
                    .components()
                    .next()
                    .map_or("".as_ref(), |c| c.as_os_str()),
            );
            let source_file = below.extension().is_some_and(|name| name == "rs");
            if !source_file || first.file_stem() != Some(room.as_ref()) {
                continue;
            }
            let text = fs::read_to_string(file.path()).unwrap();
            for (index, line) in text.lines().enumerate() {
                for of in line.split("crate::").skip(1) {
                    imports += 1;
                    let of: String = of
                        .chars()
                        .take_while(|c| c.is_alphanumeric() || *c == '_')
                        .collect();
                    let Some(target) = order.iter().position(|other| *other == of) else {
                        // `use crate::{a, b}` would hide what it imports from this test.
                        up.push(format!("{}:{}: crate::{of}…?", below.display(), index + 1));
                        continue;
                    };
                    if target > place {
                        up.push(format!("{}:{}: {of}", below.display(), index + 1));
                    }
                }
            }
        }
    }
    assert!(
        imports > 0,
        "{name} imports nothing: this test looks in the wrong place"
    );
    assert!(up.is_empty(), "imports that go up:\n{}", up.join("\n"));
}

#[test]
fn no_room_of_hardway_imports_from_one_above_it() {
    let order = ["render", "runtime", "deploy", "ops", "export", "commands"];
    arrows_go_down("hardway", &order);
}

#[test]
fn no_room_of_the_model_imports_from_one_above_it() {
    arrows_go_down("model", &["tables", "topology", "plan", "lint", "explain"]);
}
