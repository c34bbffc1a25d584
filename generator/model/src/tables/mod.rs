//! What the pinned programs know: every flag and every configuration field, from
//! data that `rehearsal/build-tables` makes of the programs themselves
//! (generator/model/tables/). A folder a minor release of Kubernetes, embedded.

mod fields;
mod kind;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use anyhow::{Context, Result, anyhow};
use include_dir::{Dir, include_dir};
use serde::{Deserialize, Serialize};

pub use fields::{Fields, Remark};
pub use kind::Kind;

use common::report::WithHint;

static FILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/tables");

/// Each release's tables, read once.
static ALL: LazyLock<BTreeMap<&str, Result<Tables, String>>> = LazyLock::new(|| {
    supported()
        .into_iter()
        .map(|minor| {
            let tables = Tables::read(minor).map_err(|error| format!("{error:#}"));
            (minor, tables)
        })
        .collect()
});

type GoneFlags = BTreeMap<String, BTreeMap<String, Gone>>;

/// Flags that some release dropped, by program.
static GONE: LazyLock<Result<GoneFlags, String>> = LazyLock::new(|| {
    json::<GoneFile>("gone.json")
        .map(|file| file.flags)
        .map_err(|error| format!("{error:#}"))
});

/// The minor releases of Kubernetes that there are tables of, oldest first.
pub fn supported() -> Vec<&'static str> {
    let number = |minor: &str| -> Vec<u32> {
        minor
            .split('.')
            .filter_map(|part| part.parse().ok())
            .collect()
    };
    let mut minors: Vec<&str> = FILES
        .dirs()
        .filter_map(|folder| folder.path().to_str())
        .collect();
    minors.sort_by_key(|minor| number(minor));
    minors
}

/// Releases of the programs that belong together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Versions {
    pub containerd: String,
    pub etcd: String,
    pub kubernetes: String,
}

impl Versions {
    /// Of the release `minor`, as `major.minor` each.
    pub fn minors(minor: &str) -> Result<Self> {
        let Versions {
            containerd,
            etcd,
            kubernetes,
        } = json(&format!("{minor}/versions.json"))?;
        let short = |version: &str| version.splitn(3, '.').take(2).collect::<Vec<_>>().join(".");
        Ok(Self {
            containerd: short(&containerd),
            etcd: short(&etcd),
            kubernetes: short(&kubernetes),
        })
    }
}

/// What is known of a flag or a field.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    #[serde(rename = "type")]
    pub kind: Kind,
    /// As `--help` has it.
    #[serde(default)]
    pub default: String,
    /// The program's own words, if it is deprecated.
    pub deprecated: Option<String>,
}

/// A flag that is no more.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gone {
    /// The release that dropped it, e.g. `Kubernetes 1.35`.
    pub since: String,
    /// What takes its place, if anything does.
    pub instead: Option<String>,
    /// Where that is said.
    pub source: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GoneFile {
    #[serde(rename = "$comment")]
    _comment: String,
    flags: GoneFlags,
}

/// Everything that one release's programs know.
#[derive(Debug)]
pub struct Tables {
    pub versions: Versions,
    /// Flags by program, e.g. `kubelet`.
    pub flags: BTreeMap<String, BTreeMap<String, Entry>>,
    /// Configurations by what names them: Kubernetes' `kind`, or the program.
    configs: BTreeMap<String, Config>,
}

#[derive(Debug)]
pub struct Config {
    /// Kubernetes' `group/version`; none for containerd's.
    pub api_version: Option<String>,
    pub fields: Fields,
}

/// One of build-tables' files: the flags of a program, or the fields of a configuration.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct TableFile {
    api_version: Option<String>,
    kind: Option<String>,
    program: Option<String>,
    flags: Option<BTreeMap<String, Entry>>,
    fields: Option<BTreeMap<String, Entry>>,
}

impl Tables {
    /// Those of a release.
    pub fn of(minor: &str) -> Result<&'static Self> {
        match ALL.get(minor) {
            Some(Ok(tables)) => Ok(tables),
            Some(Err(error)) => Err(anyhow!("{error}")),
            None => Err(anyhow!("there are no tables of Kubernetes {minor}")).hint(format!(
                "set kubernetesVersion in cluster.json to one of {}",
                supported().join(", ")
            )),
        }
    }

    fn read(minor: &str) -> Result<Self> {
        let mut flags = BTreeMap::new();
        let mut configs = BTreeMap::new();
        let folder = FILES.get_dir(minor).context("no such folder")?;
        for file in folder.files() {
            let path = file.path().to_str().unwrap_or_default();
            if path.ends_with("/versions.json") {
                continue;
            }
            let table: TableFile = json(path)?;
            let name = table
                .kind
                .or(table.program)
                .with_context(|| format!("{path} says not what it describes"))?;
            if let Some(found) = table.flags {
                flags.insert(name.clone(), found);
            }
            if let Some(found) = table.fields {
                let fields = Fields::new(found).with_context(|| format!("cannot read {path}"))?;
                configs.insert(
                    name,
                    Config {
                        api_version: table.api_version,
                        fields,
                    },
                );
            }
        }
        Ok(Self {
            versions: json(&format!("{minor}/versions.json"))?,
            flags,
            configs,
        })
    }

    /// The fields of what `program` reads as its configuration; a Kubernetes one says itself what it is.
    pub fn config(&self, program: &str, kind: Option<&str>) -> Option<&Config> {
        self.configs.get(kind.unwrap_or(program))
    }

    /// The pinned release that `program` is of, e.g. `etcd 3.6.7`.
    pub fn release(&self, program: &str) -> String {
        match program {
            "etcd" => format!("etcd {}", self.versions.etcd),
            "containerd" => format!("containerd {}", self.versions.containerd),
            _ => format!("Kubernetes {}", self.versions.kubernetes),
        }
    }
}

/// The release that dropped a program's flag, if one did.
pub fn gone(program: &str, flag: &str) -> Result<Option<&'static Gone>> {
    let table = GONE.as_ref().map_err(|error| anyhow!("{error}"))?;
    Ok(table.get(program).and_then(|flags| flags.get(flag)))
}

fn json<T: serde::de::DeserializeOwned>(path: &str) -> Result<T> {
    let file = FILES
        .get_file(path)
        .with_context(|| format!("the table {path} is not in this program"))?;
    serde_json::from_slice(file.contents()).with_context(|| format!("cannot read the table {path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything embedded reads, and every release has the tables that the plan needs.
    #[test]
    fn every_table_reads() {
        assert!(!supported().is_empty());
        for minor in supported() {
            let tables = Tables::of(minor).unwrap();
            let programs: Vec<&str> = tables.flags.keys().map(String::as_str).collect();
            assert_eq!(
                programs,
                [
                    "containerd",
                    "etcd",
                    "kube-apiserver",
                    "kube-controller-manager",
                    "kube-proxy",
                    "kube-scheduler",
                    "kubelet",
                ]
            );
            let configs: Vec<&str> = tables.configs.keys().map(String::as_str).collect();
            assert_eq!(
                configs,
                [
                    "EncryptionConfiguration",
                    "KubeProxyConfiguration",
                    "KubeSchedulerConfiguration",
                    "KubeletConfiguration",
                    "Policy",
                    "containerd",
                ]
            );
            assert_eq!(Versions::minors(minor).unwrap().kubernetes, minor);
        }
    }

    /// A flag that is gone is in no table, and one in a table is not gone.
    #[test]
    fn what_is_gone_is_in_no_table() {
        let gone = GONE.as_ref().unwrap();
        let newest = Tables::of(supported().last().unwrap()).unwrap();
        for (program, flags) in gone {
            for (flag, entry) in flags {
                assert!(
                    !newest.flags[program].contains_key(flag),
                    "{program} --{flag}"
                );
                assert!(!entry.source.is_empty(), "{program} --{flag}");
            }
        }
    }
}
