//! The flake of a cluster of one's own: templates/default, which `nix flake init` copies and
//! `hardway init --flake URL` fills in.

use std::fmt;
use std::fs;
use std::path::Path;
use std::str::FromStr;

use serde_json::Value;

use crate::render;

/// The template's URL of hardway as a Nix string: there is none to write before it is known
/// from where a person has hardway.
const PLACEHOLDER: &str = "\"github:OWNER/hardway\"";

const FLAKE: &str = include_str!("../../../../templates/default/flake.nix");
const CLUSTER: &str = include_str!("../../../../templates/default/cluster.json");

/// What belongs beside flake.nix and cluster.json: names and texts.
pub const OTHERS: [(&str, &str); 2] = [
    (
        "cluster.env",
        include_str!("../../../../templates/default/cluster.env"),
    ),
    (
        "sigma.nix",
        include_str!("../../../../templates/default/sigma.nix"),
    ),
];

/// flake.nix with `url` as the flake that hardway comes from.
pub fn flake(url: &FlakeUrl) -> String {
    fill(FLAKE, url)
}

/// cluster.json, which names the schema beside it.
pub fn cluster() -> String {
    CLUSTER.replacen("{\n", "{\n  \"$schema\": \"./cluster.schema.json\",\n", 1)
}

/// `text` of a flake.nix with `url` in the place of the placeholder. The template's first
/// paragraph, which says to replace it, goes.
pub fn fill(text: &str, url: &FlakeUrl) -> String {
    let text = match text.split_once("\n#\n") {
        Some((first, rest)) if first.starts_with("# Replace OWNER") && !first.contains('\n') => {
            rest
        }
        _ => text,
    };
    text.replace(
        PLACEHOLDER,
        &render::literal(&Value::from(url.0.as_str()), 0),
    )
}

/// Whether flake.nix in `folder` has the placeholder still.
pub fn unfilled(folder: &Path) -> bool {
    fs::read_to_string(folder.join("flake.nix")).is_ok_and(|text| {
        text.lines()
            .any(|line| !line.trim_start().starts_with('#') && line.contains(PLACEHOLDER))
    })
}

/// What to do about it, as a person in the current folder types it.
pub fn hint(folder: &Path) -> String {
    let here = std::env::current_dir().is_ok_and(|here| here == folder);
    let folder = match here {
        true => String::new(),
        false => format!(" {}", folder.display()),
    };
    format!(
        "hardway init{folder} --flake URL, where URL is the flake that you have hardway from, such \
         as github:NAME/hardway"
    )
}

/// A flake reference that an input's `url` may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlakeUrl(String);

impl fmt::Display for FlakeUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl FromStr for FlakeUrl {
    type Err = String;

    /// Nix manual, "nix flake": URL-like and path-like references. A relative path would be
    /// relative to the new flake, and is refused.
    fn from_str(text: &str) -> Result<Self, String> {
        const LIKE: &str = "write one such as github:NAME/hardway, or an absolute path";
        let odd = |c: char| !c.is_ascii_graphic() || "\"\\<>^`{|}".contains(c);
        if let Some(odd) = text.chars().find(|c| odd(*c)) {
            return Err(format!("a flake reference has no {odd:?}: {LIKE}"));
        }
        if text.contains('#') {
            return Err("an input is a whole flake: leave out # and what follows".to_owned());
        }
        if text.contains("OWNER") {
            return Err(format!("OWNER stands for a name: {LIKE}"));
        }
        let id = |text: &str| {
            text.starts_with(|c: char| c.is_ascii_alphabetic())
                && text
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
        };
        let good = match text.split_once(':') {
            None => text.len() > 1 && text.starts_with('/') || id(text),
            Some(("github" | "gitlab" | "sourcehut", rest)) => {
                let path = rest.split('?').next().unwrap_or_default();
                let parts: Vec<&str> = path.split('/').collect();
                parts.len() >= 2 && parts.iter().all(|part| !part.is_empty())
            }
            Some(("flake", rest)) => id(rest.split('/').next().unwrap_or_default()),
            Some(("path", rest)) => rest.len() > 1 && rest.starts_with('/'),
            Some((scheme, rest)) => {
                let transport =
                    scheme.split_once('+').map_or(scheme, |(kind, transport)| {
                        match ["file", "git", "hg", "tarball"].contains(&kind) {
                            true => transport,
                            false => "",
                        }
                    });
                let host = rest.strip_prefix("//").unwrap_or_default();
                match transport {
                    "file" => host.len() > 1 && host.starts_with('/'),
                    "git" | "http" | "https" | "ssh" => {
                        !host.is_empty() && !host.starts_with(['/', '?'])
                    }
                    _ => false,
                }
            }
        };
        match good {
            true => Ok(Self(text.to_owned())),
            false => Err(format!("this is no flake reference: {LIKE}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_input_may_be() {
        for good in [
            "github:me/hardway",
            "github:me/hardway/v1?dir=sub",
            "gitlab:group%2Fteam/hardway",
            "git+ssh://git@example.org/hardway?ref=main",
            "git+file:///home/me/hardway",
            "https://example.org/hardway.tar.gz",
            "tarball+https://example.org/x",
            "path:/home/me/hardway",
            "/home/me/hardway",
            "flake:hardway",
            "hardway",
        ] {
            assert!(good.parse::<FlakeUrl>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "/",
            "github:",
            "github:me",
            "github:/hardway",
            "github:OWNER/hardway",
            "github:me/hardway#init",
            "github.com/me/hardway",
            "me/hardway",
            ".",
            "../hardway",
            "path:../hardway",
            "https:example.org",
            "https://",
            "file:///",
            "svn+https://example.org/x",
            "mailto:me@example.org",
            "git@example.org:me/hardway",
            "github:me/\"; evil = \"",
            "github:me/${evil}",
            "github:me/härdway",
            "github:me/hard way\n",
        ] {
            assert!(bad.parse::<FlakeUrl>().is_err(), "{bad}");
        }
    }

    /// Nothing of the template is lost but the paragraph about the placeholder.
    #[test]
    fn the_template_is_filled_in() {
        let url: FlakeUrl = "git+https://example.org/a$b".parse().unwrap();
        let filled = flake(&url);
        assert!(FLAKE.starts_with("# Replace OWNER in inputs.hardway.url"));
        assert!(filled.starts_with("# A Kubernetes cluster of your own.\n"));
        assert_eq!(
            filled,
            FLAKE
                .split_once("\n#\n")
                .unwrap()
                .1
                .replace("github:OWNER/hardway", "git+https://example.org/a$b")
        );
        assert!(!filled.contains("OWNER"), "{filled}");
        // A person's own flake keeps its first lines.
        let own = "# Mine.\n#\n{ inputs.hardway.url = \"github:OWNER/hardway\"; }\n";
        assert_eq!(
            fill(own, &url),
            "# Mine.\n#\n{ inputs.hardway.url = \"git+https://example.org/a$b\"; }\n"
        );
    }
}
