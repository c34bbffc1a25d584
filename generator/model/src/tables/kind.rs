//! The type of a flag or field, and whether a value fits it.

use serde::Deserialize;
use serde_json::Value;

/// A type by the name that the tables give it. Only what can be judged without
/// the program is told apart; all else is [`Kind::Other`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub enum Kind {
    Bool,
    Int,
    Uint,
    Float,
    /// Go's: `1h30m`, `500ms`.
    Duration,
    DurationOrInt,
    IntOrString,
    /// `100m`, `1Gi`, `2`.
    Quantity,
    Text,
    /// A flag that is one value each time it is given: a list of several can't be written `a,b`.
    Once,
    List(Box<Kind>),
    Map(Box<Kind>),
    /// A field with fields of its own, which have entries of their own.
    Object,
    Other(String),
}

impl From<String> for Kind {
    fn from(name: String) -> Self {
        if let Some(rest) = name.strip_prefix("[]") {
            return Self::List(Box::new(rest.to_owned().into()));
        }
        if let Some(rest) = name.strip_prefix("map[string]") {
            return Self::Map(Box::new(rest.to_owned().into()));
        }
        match name.as_str() {
            "bool" => Self::Bool,
            "int" | "int8" | "int16" | "int32" | "int64" | "count" => Self::Int,
            "uint" | "uint8" | "uint16" | "uint32" | "uint64" => Self::Uint,
            "float" | "float32" | "float64" => Self::Float,
            "duration" => Self::Duration,
            "duration or int" => Self::DurationOrInt,
            "int or string" => Self::IntOrString,
            "quantity" => Self::Quantity,
            "string" => Self::Text,
            "stringArray" => Self::Once,
            "stringSlice" | "strings" | "ipSlice" | "cidrs" => Self::List(Box::new(Self::Text)),
            "mapStringBool" => Self::Map(Box::new(Self::Bool)),
            "mapStringString" | "stringToString" => Self::Map(Box::new(Self::Text)),
            "object" => Self::Object,
            _ => Self::Other(name),
        }
    }
}

impl Kind {
    /// What is wrong with a flag's value, which the command line carries as text.
    pub fn refuses_flag(&self, value: &Value) -> Option<String> {
        let text = match value {
            Value::Null => return None,
            Value::String(text) => text.clone(),
            Value::Bool(_) | Value::Number(_) => value.to_string(),
            Value::Array(items) => {
                return match self {
                    Self::Once if items.len() > 1 => Some(
                        "takes one value each time it is given, and a list is written as one: a,b"
                            .to_owned(),
                    ),
                    Self::Once if items.len() == 1 => None,
                    Self::List(_) | Self::Text | Self::Other(_) => None,
                    _ => Some(self.wants("a list")),
                };
            }
            Value::Object(pairs) => {
                return match self {
                    Self::Map(inner) => pairs.values().find_map(|one| inner.refuses_flag(one)),
                    Self::Text | Self::Other(_) => None,
                    _ => Some(self.wants("an attribute set")),
                };
            }
        };
        let fits = match self {
            // What Go's strconv.ParseBool takes.
            Self::Bool => [
                "1", "t", "T", "true", "TRUE", "True", "0", "f", "F", "false", "FALSE", "False",
            ]
            .contains(&text.as_str()),
            Self::Int => text.parse::<i64>().is_ok(),
            Self::Uint => text.parse::<u64>().is_ok(),
            Self::Float => text.parse::<f64>().is_ok(),
            Self::Duration => is_duration(&text),
            Self::Map(_) => text.is_empty() || text.contains('='),
            _ => true,
        };
        (!fits).then(|| self.wants(&format!("{text:?}")))
    }

    /// What is wrong with a configuration's value.
    pub fn refuses(&self, value: &Value) -> Option<String> {
        let fits = match (self, value) {
            (_, Value::Null) | (Self::Other(_) | Self::Object, _) => true,
            (Self::Bool, value) => value.is_boolean(),
            (Self::Int, value) => value.is_i64(),
            (Self::Uint, value) => value.is_u64(),
            (Self::Float, value) => value.is_number(),
            (Self::Text | Self::Once, value) => value.is_string(),
            (Self::Duration, Value::String(text)) => is_duration(text),
            (Self::Duration, _) => false,
            (Self::DurationOrInt, Value::String(text)) => is_duration(text),
            (Self::DurationOrInt, value) => value.is_i64(),
            (Self::IntOrString, value) => value.is_string() || value.is_i64(),
            (Self::Quantity, value) => value.is_string() || value.is_number(),
            (Self::List(inner), Value::Array(items)) => {
                return items.iter().find_map(|item| inner.refuses(item));
            }
            (Self::Map(inner), Value::Object(pairs)) => {
                return pairs.values().find_map(|item| inner.refuses(item));
            }
            (Self::List(_) | Self::Map(_), _) => false,
        };
        (!fits).then(|| self.wants(&shown(value)))
    }

    fn wants(&self, found: &str) -> String {
        let wanted = match self {
            Self::Bool => "true or false",
            Self::Int => "a whole number",
            Self::Uint => "a whole number from 0",
            Self::Float => "a number",
            Self::Duration => "a duration such as \"30s\"",
            Self::DurationOrInt => "a duration such as \"30s\", or a whole number",
            Self::IntOrString => "a whole number or a text",
            Self::Quantity => "a quantity such as \"100m\" or \"256Mi\"",
            Self::Text | Self::Once => "a text",
            Self::List(_) => "a list",
            Self::Map(_) => "pairs of a name and a value",
            Self::Object => "fields of its own",
            Self::Other(name) => name,
        };
        format!("takes {wanted}, not {found}")
    }
}

/// A value as an error shows it: whole where it is short.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "fields".to_owned(),
        other => other.to_string(),
    }
}

/// Whether Go's time.ParseDuration takes it: `0`, or a sign and numbers with units.
fn is_duration(text: &str) -> bool {
    let mut rest = text.strip_prefix(['+', '-']).unwrap_or(text);
    if rest == "0" {
        return true;
    }
    if rest.is_empty() {
        return false;
    }
    while !rest.is_empty() {
        let number = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        let digits = &rest[..rest.len() - number.len()];
        if !digits.contains(|c: char| c.is_ascii_digit()) || digits.matches('.').count() > 1 {
            return false;
        }
        let units = ["ns", "us", "µs", "μs", "ms", "s", "m", "h"];
        let Some(after) = units.iter().find_map(|unit| number.strip_prefix(unit)) else {
            return false;
        };
        rest = after;
    }
    true
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn kind(name: &str) -> Kind {
        name.to_owned().into()
    }

    #[test]
    fn durations_are_gos() {
        for good in ["0", "30s", "1h30m", "1.5h", "-2ms", "500µs", "+1ns"] {
            assert!(is_duration(good), "{good}");
        }
        for bad in ["", "30", "s", "1d", "1.2.3s", "5 s", "-", ".s"] {
            assert!(!is_duration(bad), "{bad}");
        }
    }

    #[test]
    fn a_flag_takes_what_its_text_says() {
        for (name, value) in [
            ("bool", json!(true)),
            ("bool", json!("false")),
            ("int32", json!("7")),
            ("int", json!(-7)),
            ("duration", json!("1m")),
            ("stringSlice", json!(["a", "b"])),
            ("stringSlice", json!("a,b")),
            ("stringArray", json!(["a"])),
            ("mapStringBool", json!({ "A": true })),
            ("mapStringBool", json!("A=true")),
            ("ip", json!("10.0.0.1")),
            ("string", json!(7)),
            ("duration", json!(null)),
        ] {
            assert_eq!(kind(name).refuses_flag(&value), None, "{name} {value}");
        }
        for (name, value, words) in [
            ("bool", json!("yes"), "takes true or false, not \"yes\""),
            ("int", json!(1.5), "takes a whole number, not \"1.5\""),
            ("uint", json!(-1), "takes a whole number from 0, not \"-1\""),
            (
                "duration",
                json!(30),
                "takes a duration such as \"30s\", not \"30\"",
            ),
            ("int", json!([1]), "takes a whole number, not a list"),
            (
                "mapStringBool",
                json!({ "A": "maybe" }),
                "takes true or false, not \"maybe\"",
            ),
            (
                "stringArray",
                json!(["a", "b"]),
                "takes one value each time it is given, and a list is written as one: a,b",
            ),
        ] {
            assert_eq!(
                kind(name).refuses_flag(&value).as_deref(),
                Some(words),
                "{name} {value}"
            );
        }
    }

    #[test]
    fn a_field_takes_its_own_type_only() {
        for (name, value) in [
            ("bool", json!(false)),
            ("int", json!(3)),
            ("duration", json!("30s")),
            ("[]string", json!(["a"])),
            ("map[string]bool", json!({ "A": true })),
            ("quantity", json!(1)),
            ("any", json!([{}])),
        ] {
            assert_eq!(kind(name).refuses(&value), None, "{name} {value}");
        }
        for (name, value, words) in [
            ("bool", json!("false"), "takes true or false, not \"false\""),
            ("int", json!("3"), "takes a whole number, not \"3\""),
            (
                "duration",
                json!(30),
                "takes a duration such as \"30s\", not 30",
            ),
            ("[]string", json!("a"), "takes a list, not \"a\""),
            ("[]string", json!([1]), "takes a text, not 1"),
            (
                "map[string]bool",
                json!({ "A": "x" }),
                "takes true or false, not \"x\"",
            ),
        ] {
            assert_eq!(
                kind(name).refuses(&value).as_deref(),
                Some(words),
                "{name} {value}"
            );
        }
    }
}
