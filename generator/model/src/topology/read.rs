//! Reads cluster.json into a tree that knows where each value stands, and holds
//! it against the schema: every wrong field is a problem of its own and is left
//! out, so that the rest can still be checked.

use std::collections::HashMap;

use jsonc_parser::ast::{self, Value as Node};
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use serde_json::{Map, Value};

use super::problem::{Lines, Place, Problem, suggest};

/// cluster.json as read: what fits the schema, where everything stands, and what did not fit.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) value: Value,
    places: HashMap<String, Place>,
    pub(super) problems: Vec<Problem>,
    /// Paths of the values that were left out.
    bad: Vec<String>,
}

impl Document {
    /// Whether a value was written at `path`.
    pub(super) fn has(&self, path: &str) -> bool {
        self.places.contains_key(path)
    }

    /// Whether what was written at `path`, or around it, was left out.
    pub(super) fn is_bad(&self, path: &str) -> bool {
        self.bad.iter().any(|bad| within(path, bad))
    }

    /// Paths of the values that were left out.
    pub(super) fn bad(&self) -> impl Iterator<Item = &str> {
        self.bad.iter().map(String::as_str)
    }

    /// The place of the value at `path`, or of the nearest one around it.
    pub(super) fn place(&self, path: &str) -> Place {
        let mut path = path;
        loop {
            if let Some(place) = self.places.get(path) {
                return *place;
            }
            match path.rfind(['.', '[']) {
                Some(end) => path = &path[..end],
                None if path.is_empty() => return Place::Json { line: 1, column: 1 },
                None => path = "",
            }
        }
    }
}

/// Whether `path` is `whole` or a part of it.
pub(super) fn within(path: &str, whole: &str) -> bool {
    path.strip_prefix(whole)
        .is_some_and(|rest| rest.is_empty() || whole.is_empty() || rest.starts_with(['.', '[']))
}

/// The path of `key` in the object at `path`; a key that is no plain word is quoted.
pub(super) fn member(path: &str, key: &str) -> String {
    let plain = !key.is_empty()
        && key
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '$'));
    let key = if plain {
        key.to_owned()
    } else {
        format!("{key:?}")
    };
    if path.is_empty() {
        key
    } else {
        format!("{path}.{key}")
    }
}

/// Reads `text` against `schema`. The error is a text that is not JSON.
pub(super) fn read(text: &str, schema: &Value) -> Result<Document, Problem> {
    let lines = Lines::of(text);
    // serde_json is the judge of what is JSON: strict, its depth limited, its words plain.
    serde_json::from_str::<Value>(text).map_err(|error| not_json(text, &error))?;
    let options = ParseOptions {
        allow_comments: false,
        allow_loose_object_property_names: false,
        allow_trailing_commas: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    };
    let parsed = parse_to_ast(text, &CollectOptions::default(), &options);
    let root = match parsed {
        Ok(parsed) => parsed.value,
        Err(error) => {
            return Err(Problem {
                place: lines.place(error.range().start),
                subject: String::new(),
                reason: format!("this is not JSON: {}", error.kind()),
                hint: JSON_HINT.to_owned(),
            });
        }
    };
    let mut reader = Reader {
        lines,
        definitions: &schema["$defs"],
        document: Document {
            value: Value::Null,
            places: HashMap::new(),
            problems: Vec::new(),
            bad: Vec::new(),
        },
    };
    if let Some(root) = root {
        let value = reader.value(&root, schema, "");
        reader.document.value = value.unwrap_or(Value::Null);
    }
    Ok(reader.document)
}

const JSON_HINT: &str = "JSON takes no comments and no comma after the last item; names and texts are in \"double quotes\"";

fn not_json(text: &str, error: &serde_json::Error) -> Problem {
    let (line, byte) = (error.line().max(1), error.column());
    // serde_json counts bytes, and 0 for "before the line's first".
    let column = text
        .lines()
        .nth(line - 1)
        .and_then(|line| line.get(..byte.saturating_sub(1)))
        .map_or(byte.max(1), |before| before.chars().count() + 1);
    let words = error.to_string();
    let reason = words.split(" at line ").next().unwrap_or_default();
    Problem {
        place: Place::Json { line, column },
        subject: String::new(),
        reason: format!("this is not JSON: {reason}"),
        hint: JSON_HINT.to_owned(),
    }
}

struct Reader<'a> {
    lines: Lines<'a>,
    definitions: &'a Value,
    document: Document,
}

impl<'a> Reader<'a> {
    fn problem(&mut self, offset: usize, subject: &str, reason: String, hint: String) {
        self.document.problems.push(Problem {
            place: self.lines.place(offset),
            subject: subject.to_owned(),
            reason,
            hint,
        });
    }

    /// The value as far as it fits `schema`; `None` if it does not fit at all.
    fn value(&mut self, node: &Node<'_>, schema: &'a Value, path: &str) -> Option<Value> {
        let offset = node.range().start;
        let place = self.lines.place(offset);
        self.document.places.entry(path.to_owned()).or_insert(place);
        let schema = self.resolve(schema);
        let read = match (kind_wanted(schema), node) {
            ("object", Node::Object(object)) => Ok(self.object(object, schema, path)),
            ("array", Node::Array(array)) => Ok(self.array(array, schema, path)),
            ("string", Node::StringLit(text)) => text_of(&text.value, schema),
            ("integer", Node::NumberLit(number)) => number_of(number.value, schema),
            (wanted, _) => Err(wrong_kind(node, wanted, schema)),
        };
        match read {
            Ok(value) => Some(value),
            Err((reason, hint)) => {
                self.problem(offset, path, reason, hint);
                self.document.bad.push(path.to_owned());
                None
            }
        }
    }

    fn resolve(&self, schema: &'a Value) -> &'a Value {
        schema["$ref"]
            .as_str()
            .and_then(|reference| reference.strip_prefix("#/$defs/"))
            .map_or(schema, |name| &self.definitions[name])
    }

    fn object(&mut self, object: &ast::Object<'_>, schema: &'a Value, path: &str) -> Value {
        let known: Vec<&str> = schema["properties"]
            .as_object()
            .map(|properties| properties.keys().map(String::as_str).collect())
            .unwrap_or_default();
        let mut seen: HashMap<&str, usize> = HashMap::new();
        let mut values = Map::new();
        for property in &object.properties {
            let key = property.name.as_str();
            let offset = property.name.range().start;
            let path = member(path, key);
            if let Some(first) = seen.get(key) {
                let first = line_of(self.lines.place(*first));
                self.problem(
                    offset,
                    &path,
                    format!("{key:?} is already in this object ({first})"),
                    "rename or delete one of the two".to_owned(),
                );
            }
            let again = seen.insert(key, offset).is_some();
            let schema = if known.contains(&key) {
                &schema["properties"][key]
            } else if schema["additionalProperties"].is_object() {
                // The key is a name that a person chose: problems with the whole stand there.
                let place = self.lines.place(offset);
                self.document.places.entry(path.clone()).or_insert(place);
                &schema["additionalProperties"]
            } else {
                self.problem(
                    offset,
                    &path,
                    format!("there is no field {key:?}"),
                    suggest(key, &known),
                );
                continue;
            };
            let value = self.value(&property.value, schema, &path);
            if let (Some(value), false) = (value, again) {
                values.insert(key.to_owned(), value);
            }
        }
        for required in schema["required"].as_array().into_iter().flatten() {
            let Some(key) = required.as_str().filter(|key| !seen.contains_key(key)) else {
                continue;
            };
            let field = &schema["properties"][key];
            let hint = match (choices(self.resolve(field)), &field["examples"][0]) {
                (Some(choices), _) => format!("add {key:?}: one of {}", quoted(&choices)),
                (None, Value::Null) => format!("add {key:?}; `hardway init` writes an example"),
                (None, example) => format!("add {key:?}, such as {example}"),
            };
            let reason = format!("{key:?} is missing");
            self.problem(object.range.start, path, reason, hint);
            self.document.bad.push(member(path, key));
        }
        Value::Object(values)
    }

    fn array(&mut self, array: &ast::Array<'_>, schema: &'a Value, path: &str) -> Value {
        let items = array.elements.iter().enumerate();
        // A bad item leaves a gap, not a shift: the others keep their index.
        items
            .map(|(index, item)| {
                self.value(item, &schema["items"], &format!("{path}[{index}]"))
                    .unwrap_or_else(|| gap(self.resolve(&schema["items"])))
            })
            .collect()
    }
}

/// What stands for an item that was left out; nothing looks at it, since its path is bad.
fn gap(schema: &Value) -> Value {
    match kind_wanted(schema) {
        "object" => Value::Object(Map::new()),
        "integer" => Value::from(0),
        _ => Value::from(
            choices(schema)
                .and_then(|words| words.first().copied())
                .unwrap_or(""),
        ),
    }
}

pub(super) fn line_of(place: Place) -> String {
    match place {
        Place::Json { line, .. } | Place::Env { line } => format!("line {line}"),
        Place::Environment => "the environment".to_owned(),
    }
}

/// A reason and a hint.
type Refusal = (String, String);

fn kind_wanted(schema: &Value) -> &str {
    match schema["type"].as_str() {
        Some(kind) => kind,
        // The schema of an enum whose variants have descriptions.
        None => "string",
    }
}

/// The words that a field takes, if it takes only certain ones.
fn choices(schema: &Value) -> Option<Vec<&str>> {
    if let Some(words) = schema["enum"].as_array() {
        return Some(words.iter().filter_map(Value::as_str).collect());
    }
    let variants = schema["oneOf"].as_array()?;
    let words = variants.iter().flat_map(|variant| {
        let many = variant["enum"].as_array().into_iter().flatten();
        many.chain([&variant["const"]]).filter_map(Value::as_str)
    });
    Some(words.collect())
}

fn quoted(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
    words.join(", ")
}

fn text_of(text: &str, schema: &Value) -> Result<Value, Refusal> {
    match choices(schema) {
        Some(choices) if !choices.contains(&text) => Err((
            match choices.as_slice() {
                [only] => format!("{text:?} is not supported, only {only:?} is"),
                _ => format!("{text:?} is none of {}", quoted(&choices)),
            },
            suggest(text, &choices),
        )),
        _ => Ok(Value::from(text)),
    }
}

fn number_of(digits: &str, schema: &Value) -> Result<Value, Refusal> {
    let least = schema["minimum"].as_u64().unwrap_or(0);
    let most = schema["maximum"].as_u64().unwrap_or(u64::from(u32::MAX));
    match digits.parse::<u64>() {
        Ok(number) if (least..=most).contains(&number) => Ok(Value::from(number)),
        Ok(number) if number < least => Err((
            format!("{digits} is too small"),
            format!("write {least} or more"),
        )),
        Ok(_) => Err((
            format!("{digits} is too large"),
            format!("write {most} or less"),
        )),
        Err(_) => Err((
            format!("{digits} is not a whole number from {least} to {most}"),
            "write digits only".to_owned(),
        )),
    }
}

fn wrong_kind(node: &Node<'_>, wanted: &str, schema: &Value) -> Refusal {
    let (found, hint) = match node {
        Node::StringLit(text) if wanted == "integer" => (
            "a text",
            match text.value.parse::<u64>() {
                Ok(number) => format!("write {number} without quotes"),
                Err(_) => "write digits only, without quotes".to_owned(),
            },
        ),
        Node::NumberLit(number) if wanted == "string" => {
            ("a number", format!("write \"{}\"", number.value))
        }
        other => (
            match other {
                Node::StringLit(_) => "a text",
                Node::NumberLit(_) => "a number",
                Node::BooleanLit(_) => "true or false",
                Node::Object(_) => "an object",
                Node::Array(_) => "a list",
                Node::NullKeyword(_) => "null",
            },
            match (wanted, choices(schema)) {
                (_, Some(choices)) => format!("write one of {}", quoted(&choices)),
                ("object", None) => "write { \"field\": value }".to_owned(),
                ("array", None) => "write [ value ], or leave the field out".to_owned(),
                ("integer", None) => "write digits only, or leave the field out".to_owned(),
                _ => "write a text in \"double quotes\"".to_owned(),
            },
        ),
    };
    let wanted = match wanted {
        "object" => "an object",
        "array" => "a list",
        "integer" => "a whole number",
        _ => "a text",
    };
    (format!("this is {found}, not {wanted}"), hint)
}
