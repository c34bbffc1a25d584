//! Explanations as people read them on a terminal.

use std::collections::BTreeMap;

use super::{Component, Explained, Item};

/// A comfortable width to read.
const WIDTH: usize = 92;

/// Every component, a line each.
pub fn components(all: &BTreeMap<String, Component>) -> String {
    let widest = |of: fn(&Component) -> usize| all.values().map(of).max().unwrap_or(0);
    let name = widest(|one| one.name.len());
    let nodes = widest(|one| one.nodes.join(", ").len());
    let mut text = String::new();
    for one in all.values() {
        let on = one.nodes.join(", ");
        text += &format!("{:name$}  {on:nodes$}  {}\n", one.name, one.purpose);
    }
    text += "\n`hardway explain COMPONENT` lists its flags, \
             `hardway explain COMPONENT FLAG` explains one.\n";
    text
}

/// One component, and each of its flags and fields with a line about it.
pub fn component(one: &Component, about: &Explained, lines: &[(&Item, Explained)]) -> String {
    let mut text = format!("{}: {}\n", one.name, one.purpose);
    text += &format!("on {}, as the user {}", one.nodes.join(", "), one.user);
    if !one.ports.is_empty() {
        let ports: Vec<String> = one.ports.iter().map(ToString::to_string).collect();
        text += &format!("; listens on TCP {}", ports.join(", "));
    }
    text += "\n\n";
    text += &body(about);
    let mut in_file = false;
    text += "\n";
    for (item, explained) in lines {
        if !item.flag && !in_file {
            in_file = true;
            text += &format!("\n{}\n", one.file.as_deref().unwrap_or_default());
        }
        for value in &item.values {
            text += &shown(item, &value.value);
            if item.values.len() > 1 {
                text += &format!("   ({})", value.nodes.join(", "));
            }
            text.push('\n');
        }
        text += &wrapped(&explained.what, "    ", "    ");
    }
    text
}

/// One flag or field in full.
pub fn full(one: &Component, item: &Item, explained: &Explained) -> String {
    let mut text = String::new();
    for value in &item.values {
        text += &format!("{} {}\n", one.name, shown(item, &value.value));
        text += &format!("  on {}\n", value.nodes.join(", "));
    }
    if let (false, Some(file)) = (item.flag, &one.file) {
        text += &format!("  in {file}\n");
    }
    text + "\n" + &body(explained)
}

fn shown(item: &Item, value: &str) -> String {
    match item.flag {
        true => format!("--{}={value}", item.name),
        false => format!("{}: {value}", item.name),
    }
}

fn body(explained: &Explained) -> String {
    let rest = "         ";
    wrapped(&explained.what, "what     ", rest)
        + &wrapped(&explained.why, "why      ", rest)
        + &wrapped(&explained.without, "without  ", rest)
        + &format!("read on  {}\n", explained.read)
}

/// Words filled into lines.
fn wrapped(words: &str, first: &str, rest: &str) -> String {
    let (mut text, mut line) = (String::new(), first.to_owned());
    let mut begun = false;
    for word in words.split_whitespace() {
        if begun && line.chars().count() + 1 + word.chars().count() > WIDTH {
            text += &line;
            text.push('\n');
            line = rest.to_owned();
            begun = false;
        }
        if begun {
            line.push(' ');
        }
        line += word;
        begun = true;
    }
    text + &line + "\n"
}
