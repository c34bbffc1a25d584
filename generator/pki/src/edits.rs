//! What a person has edited below hosts/pki is kept: three texts are compared, the one
//! on disk, the one that was last generated, and the one that is generated now.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use super::read::read_file;
use super::requests::{GENERATED, pretty};
use common::report::WithHint;

/// `fresh` with the edits of the files in `folder`; the names of those that have any.
pub fn with_edits(
    fresh: BTreeMap<String, String>,
    folder: &Path,
) -> Result<(BTreeMap<String, String>, Vec<String>)> {
    // Without it nothing is known to be an edit.
    let Some(generated) = json(&folder.join(GENERATED))? else {
        return Ok((fresh, Vec::new()));
    };
    let mut edited = Vec::new();
    let merged = fresh
        .into_iter()
        .map(|(name, text)| -> Result<(String, String)> {
            let (Some(before), Some(found)) = (
                generated.get(&name),
                match name.as_str() {
                    GENERATED => None,
                    _ => json(&folder.join(&name))?,
                },
            ) else {
                return Ok((name, text));
            };
            if found == *before {
                return Ok((name, text));
            }
            let now: Value = serde_json::from_str(&text)?;
            let kept = merge(Some(before), &found, &now);
            if kept == now {
                return Ok((name, text));
            }
            edited.push(name.clone());
            Ok((name, pretty(&kept)))
        })
        .collect::<Result<_>>()?;
    Ok((merged, edited))
}

fn json(path: &Path) -> Result<Option<Value>> {
    let Some(text) = read_file(path)? else {
        return Ok(None);
    };
    serde_json::from_slice(&text)
        .map(Some)
        .with_context(|| format!("{} is no JSON", path.display()))
        .hint(format!(
            "mend it; or remove it, and `hardway generate` writes it again: rm {}",
            path.display()
        ))
}

/// Where `found` is not what was generated `before`, it is somebody's wish and stays.
/// Lists of words are sets: what was added stays, what was taken away stays away.
fn merge(before: Option<&Value>, found: &Value, now: &Value) -> Value {
    if Some(found) == before {
        return now.clone();
    }
    if let (Value::Object(found), Value::Object(now)) = (found, now) {
        let empty = serde_json::Map::new();
        let before = before.and_then(Value::as_object).unwrap_or(&empty);
        let names: BTreeSet<&String> = found.keys().chain(now.keys()).collect();
        return names
            .into_iter()
            .filter_map(|name| {
                let value = match (before.get(name), found.get(name), now.get(name)) {
                    (before, Some(found), Some(now)) => merge(before, found, now),
                    // Gone from what is generated: gone, unless it was edited or added.
                    (before, Some(found), None) if before != Some(found) => found.clone(),
                    // New in what is generated, and not what somebody took away.
                    (None, None, Some(now)) => now.clone(),
                    _ => return None,
                };
                Some((name.clone(), value))
            })
            .collect::<serde_json::Map<_, _>>()
            .into();
    }
    if let (Some(found_words), Some(now_words)) = (words(found), words(now)) {
        let before = before.and_then(words).unwrap_or_default();
        let kept = now_words
            .iter()
            .filter(|word| found_words.contains(word) || !before.contains(word));
        let added = found_words
            .iter()
            .filter(|word| !before.contains(word) && !now_words.contains(word));
        return kept.chain(added).map(|word| Value::from(*word)).collect();
    }
    found.clone()
}

fn words(value: &Value) -> Option<Vec<&str>> {
    value.as_array()?.iter().map(Value::as_str).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn edits_stay_and_the_rest_follows() {
        let before = json!({
            "hosts": ["alpha", "10.0.0.1", "127.0.0.1"],
            "key": { "algo": "ecdsa", "size": 256 },
            "old": 1,
        });
        let found = json!({
            "hosts": ["alpha", "10.0.0.1", "api.example.org"],
            "key": { "algo": "rsa", "size": 2048 },
            "names": [{ "OU": "ours" }],
            "old": 1,
        });
        let now = json!({
            "hosts": ["alpha", "10.0.0.9", "127.0.0.1"],
            "key": { "algo": "ecdsa", "size": 384 },
            "new": 2,
        });
        assert_eq!(
            merge(Some(&before), &found, &now),
            json!({
                "hosts": ["alpha", "10.0.0.9", "api.example.org"],
                "key": { "algo": "rsa", "size": 2048 },
                "names": [{ "OU": "ours" }],
                "new": 2,
            })
        );
        assert_eq!(merge(Some(&before), &before, &now), now);
        assert_eq!(merge(Some(&before), &now, &now), now);
    }
}
