//! From files and the environment to a [`Topology`], and the files to begin with.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};

use super::check::check;
use super::env::{self, settings};
use super::input::{self, schema};
use super::problem::{Place, Problem, Problems};
use super::read::read;
use super::types::Topology;
use common::file;
use common::report::WithHint;
use common::state::Paths;

/// All that a topology is made of, as text.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    /// The folder that paths in cluster.json are relative to, absolute.
    pub dir: &'a Path,
    /// cluster.json, and how to call it in a report.
    pub json: &'a str,
    pub json_name: &'a str,
    /// cluster.env (empty if there is none), and how to call it in a report.
    pub env: &'a str,
    pub env_name: &'a str,
    /// Variables of the process; only [`super::ENVIRONMENT`]'s names count.
    pub environment: &'a BTreeMap<String, String>,
}

/// Reads cluster.json, cluster.env and the environment.
pub fn load(paths: &Paths) -> Result<Topology> {
    load_with(paths, &[])
}

/// The same as if cluster.env had these settings.
pub fn load_with(paths: &Paths, set: &[(&'static str, u32)]) -> Result<Topology> {
    let json_path = paths.cluster_json();
    let env_path = paths.cluster_env();
    let json = read_text(&json_path)?
        .ok_or_else(|| anyhow!("there is no {}", json_path.display()))
        .hint("run `hardway init`, or name the cluster's folder with --dir")?;
    let env = env::with_settings(&read_text(&env_path)?.unwrap_or_default(), set);
    let environment = env::KEYS
        .into_iter()
        .filter_map(|key| Some((key, std::env::var_os(key)?)))
        .map(|(key, value)| (key.to_owned(), value.to_string_lossy().into_owned()))
        .collect();
    let topology = parse(&Sources {
        dir: &paths.dir,
        json: &json,
        json_name: &shown(&json_path),
        env: &env,
        env_name: &shown(&env_path),
        environment: &environment,
    })?;
    Ok(topology)
}

/// Writes these settings into cluster.env, where the rest stays as it is.
pub fn write_settings(paths: &Paths, set: &[(&'static str, u32)]) -> Result<()> {
    let path = paths.cluster_env();
    let text = env::with_settings(&read_text(&path)?.unwrap_or_default(), set);
    // A link stays one.
    let path = path.canonicalize().unwrap_or(path);
    let mode = fs::metadata(&path).map_or(0o644, |found| found.permissions().mode() & 0o777);
    file::replace(&path, text.as_bytes(), mode)
}

/// A topology from text. Looks at the disk only to see whether the user's modules exist.
pub fn parse(sources: &Sources<'_>) -> Result<Topology, Problems> {
    let report =
        |problems: Vec<Problem>| Problems::new(problems, sources.json_name, sources.env_name);
    let mut problems = Vec::new();
    let settings = settings(sources.env, sources.environment, &mut problems);
    let document = match read(sources.json, &schema()) {
        Ok(document) => document,
        Err(problem) => {
            problems.push(problem);
            return Err(report(problems));
        }
    };
    problems.extend(document.problems.iter().cloned());
    // What the schema passed has the structs' shape; only a missing `nodes` or a
    // text that is no object at all is left, and both are among the problems.
    match input::Cluster::read(&document.value) {
        Ok(input) => match check(&input, &settings, &document, sources.dir) {
            Ok(topology) if problems.is_empty() => return Ok(topology),
            Ok(_) => {}
            Err(found) => problems.extend(found),
        },
        Err(error) if problems.is_empty() => problems.push(Problem {
            place: Place::Json { line: 1, column: 1 },
            subject: String::new(),
            reason: error.to_string(),
            hint: "compare the file with `hardway schema`".to_owned(),
        }),
        Err(_) => {}
    }
    Err(report(problems))
}

/// The cluster in `dir`, or else in the nearest folder upwards from the current one.
pub fn find(dir: Option<&Path>) -> Result<Paths> {
    let hint = "run `hardway init` (with Nix: `nix run FLAKE#init`), or name the cluster's folder with --dir";
    if let Some(dir) = dir {
        let absolute = std::path::absolute(dir)
            .with_context(|| format!("cannot tell where {} is", dir.display()))?;
        let paths = Paths::new(absolute);
        return if paths.cluster_json().is_file() {
            Ok(paths)
        } else {
            let dir = dir.display();
            Err(anyhow!("there is no cluster.json in {dir}"))
                .hint(format!("run `hardway init {dir}`"))
        };
    }
    let here = std::env::current_dir().context("cannot tell the current folder")?;
    here.ancestors()
        .map(Paths::new)
        .find(|paths| paths.cluster_json().is_file())
        .ok_or_else(|| {
            anyhow!(
                "there is no cluster.json in {} or a folder above it",
                here.display()
            )
        })
        .hint(hint)
}

/// cluster.json of `hardway init`: alpha, sigma and gamma.
pub fn default_json() -> &'static str {
    include_str!("../../templates/cluster.json")
}

/// cluster.env of `hardway init`.
pub fn default_env() -> &'static str {
    include_str!("../../templates/cluster.env")
}

/// cluster.schema.json of `hardway init`, and what `hardway schema` prints.
pub fn default_schema() -> String {
    format!("{:#}\n", schema())
}

/// The text of a file; `None` if there is none.
fn read_text(path: &Path) -> Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == ErrorKind::InvalidData => Err(error)
            .with_context(|| format!("cannot read {}", path.display()))
            .hint("save the file as UTF-8"),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// `path` as a person in the current folder would write it.
fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::new());
    path.strip_prefix(&here)
        .unwrap_or(path)
        .display()
        .to_string()
}
