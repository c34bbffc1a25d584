//! hosts/<node>/default.nix as it is on disk, a person's edits included: a host
//! module is literals, which plain Nix reads with no nixpkgs at hand.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::Value;

use common::report::WithHint;
use model::lint::Emitted;

use super::literal;

/// The components of every node that has a module.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub struct Written(BTreeMap<String, BTreeMap<String, Component>>);

#[derive(Debug, Deserialize)]
struct Component {
    command: Option<String>,
    #[serde(default)]
    flags: BTreeMap<String, Value>,
    config: Option<Value>,
}

impl Written {
    pub fn emitted(&self) -> Vec<Emitted<'_>> {
        let nodes = self.0.iter();
        nodes
            .flat_map(|(node, components)| {
                components.iter().map(|(name, component)| Emitted {
                    node,
                    component: name,
                    program: component.command.as_deref().unwrap_or(name),
                    flags: &component.flags,
                    config: component.config.as_ref(),
                })
            })
            .collect()
    }
}

/// Reads the modules of `nodes` below `hosts`; `nix` is nix-instantiate. A node
/// without a module is left out: nothing was generated for it yet.
pub fn read<'a>(nix: &Path, hosts: &Path, nodes: impl Iterator<Item = &'a str>) -> Result<Written> {
    let hosts =
        std::path::absolute(hosts).with_context(|| format!("cannot find {}", hosts.display()))?;
    let modules: String = nodes
        .map(|node| (node, hosts.join(node).join("default.nix")))
        .filter(|(_, file)| file.is_file())
        .map(|(node, file)| {
            let [name, file] =
                [node, &file.to_string_lossy()].map(|text| literal(&Value::from(text), 0));
            format!("{name} = (import (/. + {file}) {{ }}).hardway.components or {{ }};\n")
        })
        .collect();
    let expression = format!("{{\n{modules}}}");
    // On standard input, since a command line has a limit.
    let arguments = ["--eval", "--strict", "--json", "--store", "dummy://", "-"];
    let output = duct::cmd(nix, arguments)
        .stdin_bytes(expression)
        .stdout_capture()
        .stderr_capture()
        .unchecked()
        .run()
        .with_context(|| format!("cannot run {}", nix.display()))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        return Err(anyhow::anyhow!("{}", words.trim()))
            .with_context(|| format!("cannot read the modules below {} without nixpkgs", hosts.display()))
            .hint("host modules are literals: put what needs `lib` or `pkgs` into a module of your own");
    }
    let Ok(written) = serde_json::from_slice(&output.stdout) else {
        bail!(
            "the modules below {} do not say what components are",
            hosts.display()
        );
    };
    Ok(written)
}
