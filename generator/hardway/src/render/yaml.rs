//! The one function through which every value enters YAML.

use std::fmt::Write;
use std::net::Ipv4Addr;

use serde_json::Value;

/// `value` as YAML on one line: a string bare where every reader takes it for that
/// string, in double quotes elsewhere; lists and maps in their bracketed forms.
pub(super) fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) if is_bare(text) => text.clone(),
        Value::String(text) => quoted(text),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(scalar).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|(name, value)| format!("{}: {}", quoted(name), scalar(value)))
                .collect();
            format!("{{{}}}", fields.join(", "))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// Kubernetes reads YAML 1.1, which has more words for true and false than today's.
fn is_bare(text: &str) -> bool {
    const WORDS: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    let name = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.ends_with(|c: char| c.is_ascii_alphanumeric())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_./:-".contains(c))
        && !WORDS.contains(&text.to_ascii_lowercase().as_str());
    name || text.parse::<Ipv4Addr>().is_ok()
}

/// ASCII only: YAML allows fewer characters as they are than Rust's strings hold.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            ' '..='~' => quoted.push(c),
            // Writing to a String does not fail.
            _ => drop(write!(quoted, "\\U{:08X}", u32::from(c))),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn read_back(text: &str) -> Value {
        serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{text}\n{error}"))
    }

    #[test]
    fn names_and_addresses_are_bare_and_the_rest_is_quoted() {
        for bare in [
            "cluster.local",
            "hardway:cluster-admins",
            "registry.k8s.io/coredns/coredns:v1.14.2",
            "10.32.0.10",
        ] {
            assert_eq!(scalar(&json!(bare)), bare);
        }
        for other in [
            "", "on", "No", "NULL", "~", "9153", "1e3", ".inf", "0x1F", "a: b", "a #b", "a:",
            "- a", "&a", "*a", "!a", "{a", "[a", "a\nb", "a\u{7f}", "ü", "\u{2028}", "🜁",
        ] {
            let text = scalar(&json!(other));
            assert!(text.starts_with('"') && text.is_ascii(), "{text}");
            assert_eq!(read_back(&format!("key: {text}")), json!({ "key": other }));
        }
    }

    #[test]
    fn a_reader_gets_back_what_was_written() {
        let nasty = json!({
            "a": [1, -1, true, null, "true", "x, y", "]"],
            "b c: ": { "}": "{", "on": "\t" },
        });
        assert_eq!(read_back(&scalar(&nasty)), nasty);
    }

    proptest! {
        #[test]
        fn any_string_comes_back(text in "\\PC{0,20}|[ -~\n\t]{0,20}|[a-zA-Z0-9.:/_-]{0,12}") {
            prop_assert_eq!(read_back(&format!("- {}", scalar(&json!(text)))), json!([text]));
        }
    }
}
