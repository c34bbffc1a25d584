//! The one function through which every value enters Nix.

use serde_json::Value;

/// `value` as a Nix literal that starts at column `indent` of its line's nesting.
///
/// Sets and strings of several lines span lines, indented below `indent` spaces;
/// the first line has no indentation. JSON's null becomes `null`. Lists of several
/// words stand one a line, as nixfmt has them: it changes nothing in what is generated.
pub fn literal(value: &Value, indent: usize) -> String {
    let pad = " ".repeat(indent);
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        // Nix reads `-1` in a list as an operator: only as a value in parentheses is it one word.
        Value::Number(value) if value.to_string().starts_with('-') => format!("({value})"),
        Value::Number(value) => value.to_string(),
        Value::String(text) if text.contains('\n') => indented_string(text, indent),
        Value::String(text) => string(text),
        Value::Array(items) if items.is_empty() => "[ ]".to_owned(),
        Value::Array(items) => {
            let words: Vec<String> = items.iter().map(|item| literal(item, indent + 2)).collect();
            if let [word] = words.as_slice()
                && !word.contains('\n')
            {
                return format!("[ {word} ]");
            }
            let lines: Vec<String> = words
                .iter()
                .map(|word| format!("{pad}  {word}\n"))
                .collect();
            format!("[\n{}{pad}]", lines.concat())
        }
        Value::Object(fields) if fields.is_empty() => "{ }".to_owned(),
        Value::Object(fields) => {
            let mut names: Vec<&String> = fields.keys().collect();
            names.sort_unstable();
            let lines: Vec<String> = names
                .iter()
                .map(|name| {
                    let (path, value) = path(&attribute(name), &fields[name.as_str()]);
                    format!("{pad}  {path} = {};\n", literal(value, indent + 2))
                })
                .collect();
            format!("{{\n{}{pad}}}", lines.concat())
        }
    }
}

/// An attribute path and what it is set to: sets with a single attribute become
/// part of the path (`a = { b = 1; }` reads `a.b = 1`).
pub(super) fn path<'a>(start: &str, mut value: &'a Value) -> (String, &'a Value) {
    let mut path = start.to_owned();
    while let Value::Object(fields) = value {
        let mut entries = fields.iter();
        let (Some((name, inner)), None) = (entries.next(), entries.next()) else {
            break;
        };
        path.push('.');
        path.push_str(&attribute(name));
        value = inner;
    }
    (path, value)
}

/// `name` as one attribute of a path: bare where Nix allows it, quoted elsewhere.
pub fn attribute(name: &str) -> String {
    const KEYWORDS: [&str; 10] = [
        "assert", "else", "if", "in", "inherit", "let", "or", "rec", "then", "with",
    ];
    let mut chars = name.chars();
    let bare = chars
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || "_'-".contains(c))
        && !KEYWORDS.contains(&name);
    if bare { name.to_owned() } else { string(name) }
}

/// A string in double quotes, whatever its characters.
fn string(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '$' if rest.peek() == Some(&'{') => quoted.push_str("\\$"),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// A string of several lines, as a person reads it. Falls back to double quotes
/// where the indented form could not hold the very same characters.
fn indented_string(text: &str, indent: usize) -> String {
    let odd = |line: &str| line.chars().any(char::is_control) || line.starts_with([' ', '\t']);
    let whole = text.ends_with('\n');
    let lines: Vec<&str> = text.trim_end_matches('\n').split('\n').collect();
    // Nix takes the smallest indentation away: one line must stand at the margin.
    let margin = lines.iter().any(|line| !line.is_empty() && !odd(line));
    if !whole || text.ends_with("\n\n") || !margin || text.contains(['\t', '\r']) {
        return string(text);
    }
    let pad = " ".repeat(indent);
    let body: Vec<String> = lines
        .iter()
        .map(|line| {
            let line = line.replace("''", "'''").replace("${", "''${");
            if line.is_empty() {
                "\n".to_owned()
            } else {
                format!("{pad}  {line}\n")
            }
        })
        .collect();
    format!("''\n{}{pad}''", body.concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn strings_keep_every_character() {
        assert_eq!(string(r#"a"b\c"#), r#""a\"b\\c""#);
        assert_eq!(string("${x} $y $$"), "\"\\${x} $y $$\"");
        assert_eq!(string("a\nb\tc"), r#""a\nb\tc""#);
    }

    #[test]
    fn attributes_are_quoted_only_where_needed() {
        assert_eq!(attribute("hostName"), "hostName");
        assert_eq!(attribute("10-uplink0"), "\"10-uplink0\"");
        assert_eq!(attribute("net.ipv4.ip_forward"), "\"net.ipv4.ip_forward\"");
        assert_eq!(attribute("in"), "\"in\"");
        assert_eq!(attribute(""), "\"\"");
    }

    #[test]
    fn a_set_is_sorted_and_indented() {
        let value = json!({ "b": [1, 2], "a": { "x": true }, "c": [], "d": {}, "e": ["1"] });
        assert_eq!(
            literal(&value, 2),
            "{\n    a.x = true;\n    b = [\n      1\n      2\n    ];\n    c = [ ];\n    d = { };\n    e = [ \"1\" ];\n  }"
        );
    }

    #[test]
    fn lines_become_an_indented_string() {
        assert_eq!(
            literal(&json!("a\n  b ''c'' ${d}\n"), 2),
            "''\n    a\n      b '''c''' ''${d}\n  ''"
        );
    }

    /// What Nix itself reads back. Needs `nix-instantiate`, which scripts/test installs.
    fn read_back(text: &str) -> Value {
        let out = std::process::Command::new("nix-instantiate")
            .args([
                "--eval", "--strict", "--json", "--store", "dummy://", "-E", text,
            ])
            .output()
            .expect("nix-instantiate runs");
        assert!(
            out.status.success(),
            "{text}\n{}",
            String::from_utf8_lossy(&out.stderr)
        );
        serde_json::from_slice(&out.stdout).unwrap()
    }

    #[test]
    fn nix_reads_back_what_was_written() {
        let nasty = json!({
            "quotes": "\" ' '' \\ ''${a} ${b} $${c} $", "lines": "one\n  two ''x'' ${y}\n\nthree\n",
            "indented only": " a\n b\n", "no end": "a\nb", "ends twice": "a\n\n", "tab": "a\n\tb\n",
            "tail": "a ''\n$\n", "dollars": "$${x}\n$$ ''$\n", "unicode": "ä→\n…\n", "or": [-1, 0, 1],
            "": null, "a.b": [[], {}, [{ "x": [true, false] }]], "long": (0..60).collect::<Vec<_>>(),
        });
        assert_eq!(read_back(&literal(&nasty, 0)), nasty);
    }

    proptest! {
        #[test]
        fn any_string_parses_as_one_string(text in "[ -~\n\t$'\"\\\\{}]{0,40}") {
            let parsed = rnix::Root::parse(&literal(&json!([text]), 4));
            prop_assert!(parsed.errors().is_empty(), "{text:?}");
        }
    }
}
