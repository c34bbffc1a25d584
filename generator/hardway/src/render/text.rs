//! From a plan to the text of every committed file.

use std::collections::HashMap;
use std::path::Path;
use std::sync::OnceLock;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tera::Tera;

use super::files::Files;
use super::value::{attribute, literal, path};
use super::yaml;
use model::plan::{self, Component, NodePlan, Part, PeerOption, Plan, Shared};
use model::topology::{Cni, Node, Topology};

/// The built-in templates, read once.
fn templates() -> Result<&'static Tera> {
    static TEMPLATES: OnceLock<Tera> = OnceLock::new();
    if let Some(templates) = TEMPLATES.get() {
        return Ok(templates);
    }
    let templates = read_templates()?;
    Ok(TEMPLATES.get_or_init(|| templates))
}

fn read_templates() -> Result<Tera> {
    let mut tera = Tera::default();
    tera.add_raw_templates([
        ("host.nix", include_str!("../../templates/host.nix.tera")),
        ("hosts.nix", include_str!("../../templates/hosts.nix.tera")),
        ("peers.nix", include_str!("../../templates/peers.nix.tera")),
        ("base.nix", include_str!("../../templates/base.nix.tera")),
        (
            "nixos-anywhere.nix",
            include_str!("../../templates/nixos-anywhere.nix.tera"),
        ),
        (
            "colmena.nix",
            include_str!("../../templates/colmena.nix.tera"),
        ),
        (
            "install.sh",
            include_str!("../../templates/install.sh.tera"),
        ),
        ("rbac.yaml", include_str!("../../templates/rbac.yaml.tera")),
        (
            "coredns.yaml",
            include_str!("../../templates/coredns.yaml.tera"),
        ),
        (
            "cilium-values.yaml",
            include_str!("../../templates/cilium-values.yaml.tera"),
        ),
    ])
    .context("cannot read a built-in template")?;
    tera.autoescape_on(Vec::new());
    tera.register_filter(
        "nix",
        |value: &Value, arguments: &HashMap<String, Value>| {
            let indent = arguments.get("indent").and_then(Value::as_u64).unwrap_or(0);
            Ok(Value::String(literal(
                value,
                usize::try_from(indent).unwrap_or(0),
            )))
        },
    );
    tera.register_filter("yaml", |value: &Value, _: &HashMap<String, Value>| {
        Ok(Value::String(yaml::scalar(value)))
    });
    Ok(tera)
}

fn render(template: &str, blanks: &Value) -> Result<String> {
    let context = tera::Context::from_value(blanks.clone())
        .with_context(|| format!("cannot fill {template}"))?;
    let text = templates()?
        .render(template, &context)
        .with_context(|| format!("cannot fill {template}"))?;
    if template.ends_with(".nix") {
        parses(template, &text)?;
    }
    Ok(text)
}

/// Refuses text that rnix does not read as Nix: a mistake of ours, found before it is on disk.
fn parses(template: &str, text: &str) -> Result<()> {
    let parsed = rnix::Root::parse(text);
    if let Some(error) = parsed.errors().first() {
        bail!("{template} gives Nix that does not parse: {error}\n{text}");
    }
    Ok(())
}

/// The nodes' modules, their index, and what is applied to the running cluster.
/// `dir` is the cluster's folder: user's modules below it are named relative to hosts/.
pub fn rendered(topology: &Topology, plan: &Plan, dir: &Path) -> Result<Files> {
    let mut files = Files::new();
    files.insert(
        "default.nix".into(),
        hosts_index(topology, &|_, _, path| user_module(dir, path))?,
    );
    if let Some(text) = peers(topology)? {
        files.insert("peers.nix".into(), text);
    }
    for node in &plan.nodes {
        files.insert(
            format!("{}/default.nix", node.name).into(),
            host_module(node)?,
        );
    }
    files.insert(
        "addons/rbac.yaml".into(),
        render("rbac.yaml", &json!({ "admin_group": plan::ADMIN_GROUP }))?,
    );
    files.insert(
        "addons/coredns.yaml".into(),
        render("coredns.yaml", &json!(plan::coredns(topology)))?,
    );
    if let (Cni::Cilium, Some(control_plane)) = (topology.cni, topology.control_planes().next()) {
        files.insert(
            "addons/cilium-values.yaml".into(),
            render(
                "cilium-values.yaml",
                &json!({
                    "api_address": plan::advertised_address(topology, control_plane),
                    "api_port": plan::api_secure_port(topology),
                    "interface": plan::interface(topology),
                }),
            )?,
        );
    }
    Ok(files)
}

/// The text of `hosts/peers.nix`, where there is something that the nodes share.
pub fn peers(topology: &Topology) -> Result<Option<String>> {
    let Some(peers) = plan::peers(topology) else {
        return Ok(None);
    };
    let routes = (!peers.routes.is_empty()).then(|| setting("routes", &json!(peers.routes)));
    let blanks = json!({ "hosts": setting("hosts", &json!(peers.hosts)), "routes": routes });
    render("peers.nix", &blanks).map(Some)
}

/// The text of the base image's module.
pub fn base_module(shared: &Shared) -> Result<String> {
    let options = shared.options.iter();
    let options: Vec<Value> = options.map(|(path, value)| setting(path, value)).collect();
    let packages: Vec<String> = shared.packages.iter().map(|name| attribute(name)).collect();
    render(
        "base.nix",
        &json!({ "options": options, "packages": packages }),
    )
}

/// How a user's module, the n-th of its node, is written in `hosts/default.nix`: as a
/// path relative to that file, or an absolute one.
type PathOf<'a> = &'a dyn Fn(&Node, usize, &Path) -> String;

/// The text of `hosts/default.nix`.
pub fn hosts_index(topology: &Topology, path_of: PathOf<'_>) -> Result<String> {
    let nodes: Vec<Value> = topology
        .nodes
        .iter()
        .map(|node| {
            json!({
                "attribute": attribute(node.name.as_str()),
                "name": node.name,
                "role": node.role,
                "modules": node
                    .modules
                    .iter()
                    .enumerate()
                    .map(|(index, path)| path_of(node, index, path))
                    .collect::<Vec<_>>(),
            })
        })
        .collect();
    render("hosts.nix", &json!({ "nodes": nodes }))
}

/// What another tool reads, a flake.nix or a script: `template` filled with `blanks`.
pub fn exported(template: &str, blanks: &Value) -> Result<String> {
    render(template, blanks)
}

/// A user's module as hosts/default.nix names it: relative where it lies in the
/// cluster's folder, since a flake sees nothing outside of its own.
fn user_module(dir: &Path, path: &Path) -> String {
    let (prefix, rest) = match path.strip_prefix(dir) {
        Ok(relative) => ("../", relative),
        Err(_) => ("/", path.strip_prefix("/").unwrap_or(path)),
    };
    let text = rest.to_string_lossy();
    // A path literal holds few characters; an interpolated string holds them all.
    if text
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "/._-+".contains(c))
    {
        format!("{prefix}{text}")
    } else {
        format!("({prefix}. + {})", literal(&json!(format!("/{text}")), 0))
    }
}

/// The text of one node's `hosts/<node>/default.nix`.
pub fn host_module(node: &NodePlan) -> Result<String> {
    let options: Vec<Value> = node
        .options
        .iter()
        .map(|(path, value)| setting(path, value))
        .collect();
    let components: Vec<Value> = node
        .components
        .iter()
        .map(|(name, component)| {
            json!({
                "attribute": attribute(name),
                "description": component.description,
                "fields": fields(component),
            })
        })
        .collect();
    render(
        "host.nix",
        &json!({
            "name": node.name,
            "role": node.role.to_string().replace('-', " "),
            "options": options,
            "peers": node.peers.iter().map(from_peers).collect::<Vec<_>>(),
            "pki": node.pki,
            "components": components,
        }),
    )
    .with_context(|| format!("cannot write the module of {}", node.name))
}

/// A component's options in the order in which a person wants to read them:
/// what it is, how it is run, its configuration, what it needs.
fn fields(component: &Component) -> Vec<Value> {
    let mut fields = vec![
        ("description", json!(component.description)),
        ("package", json!(component.package)),
        ("command", json!(component.command)),
        ("flags", json!(component.flags)),
    ];
    if let Some(config) = &component.config {
        fields.extend([
            ("configPath", json!(config.path)),
            ("format", json!(config.format)),
            ("config", config.value.clone()),
        ]);
    }
    fields.extend([
        ("path", json!(component.path)),
        ("after", json!(component.after)),
        ("requires", json!(component.requires)),
        ("user", json!(component.user)),
        ("readiness", json!(component.readiness)),
        ("ports", json!(component.ports)),
    ]);
    if let Some(check) = &component.wait_for {
        fields.push(("waitFor", json!(check)));
    }
    if let Some(folder) = &component.state_directory {
        fields.push(("stateDirectory", json!(folder)));
    }
    if component.delegate {
        fields.push(("delegate", json!(true)));
    }
    if !component.hardening.is_empty() {
        fields.push(("hardening", json!(component.hardening)));
    }
    fields
        .into_iter()
        .map(|(path, value)| setting(path, &value))
        .collect()
}

/// The whole line of an option whose value is in `peers.nix`, broken as nixfmt breaks it.
fn from_peers(option: &PeerOption) -> String {
    const WIDTH: usize = 100;
    let path: Vec<String> = option.path.iter().map(|part| attribute(part)).collect();
    let path = path.join(".");
    let routes = "(import ../peers.nix).routes";
    match &option.part {
        Part::Hosts => format!("{path} = (import ../peers.nix).hosts;"),
        Part::Routes { except: None } => {
            let line = format!("{path} = builtins.attrValues {routes};");
            match line.len() + 2 > WIDTH {
                true => line.replace(".routes;", "\n    .routes;"),
                false => line,
            }
        }
        Part::Routes { except: Some(node) } => {
            let node = literal(&json!(node), 0);
            let mut others = format!("    removeAttrs {routes} [ {node} ]");
            if others.len() > WIDTH {
                others = format!("    removeAttrs {routes} [\n      {node}\n    ]");
            }
            format!("{path} = builtins.attrValues (\n{others}\n  );")
        }
    }
}

/// A template's `path = value;`.
fn setting(start: &str, value: &Value) -> Value {
    let (path, value) = path(start, value);
    json!({ "path": path, "value": value })
}
