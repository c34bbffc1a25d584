//! `hardway ssh`: the system's own ssh, told with whose key, by which port, and which
//! machine it has to meet there. It is told so in a file, for other programs to use too.

use std::ffi::OsString;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, anyhow};

use super::{machines, tools};
use crate::deploy::install;
use common::file;

use common::report::WithHint;
use common::state::{Paths, private_folder};
use model::plan::SSH_PORT;
use model::topology::{Guest, Node, Topology};

/// The command that logs in on the node of that name, and runs `words` there if there
/// are any.
pub fn command(
    paths: &Paths,
    topology: &Topology,
    name: &str,
    words: &[OsString],
) -> Result<Command> {
    let node = machines::named(topology, name)?;
    let program = tools::find("ssh", "it is what this verb runs")?;
    let mut command = Command::new(program);
    match (node.guest(), node.remote()) {
        (Some(guest), _) => {
            let cannot = || format!("cannot log in on {name}");
            lets_in(paths, node, guest).with_context(cannot)?;
            write_config(paths, topology).with_context(cannot)?;
            command.arg("-F").arg(paths.ssh_config()).arg(name);
        }
        // Whom the user's own ssh knows, with the user's own keys.
        (None, remote) => {
            command.args(remote.map(|remote| remote.ssh.to_string()));
        }
    }
    command.args(words);
    Ok(command)
}

/// Fails where the machine of `node` can't be reached, or does not know our key.
fn lets_in(paths: &Paths, node: &Node, guest: &Guest) -> Result<()> {
    let name = &node.name;
    machines::needed(paths, node)?;
    let record = install::installed(paths, node);
    let installed = record.and_then(|record| record.ssh_host_key);
    let bring = format!("bring it there: hardway apply {name}");
    if installed.is_none() {
        return Err(anyhow!("an earlier hardway installed it, without an sshd")).hint(bring);
    }
    if installed != pki::ssh_host(paths, name)? {
        return Err(anyhow!(
            "it has another ssh key than {} holds now",
            paths.pki().display()
        ))
        .hint(bring);
    }
    let forward = format!("127.0.0.1:{}-:{SSH_PORT}", guest.ssh_port);
    if !started_with(&paths.node(name).argv(), &forward)? {
        return Err(anyhow!(
            "its machine was started before port {} of this host led to it",
            guest.ssh_port
        ))
        .hint("start it again: hardway down, then hardway up");
    }
    Ok(())
}

fn started_with(argv: &Path, words: &str) -> Result<bool> {
    let text = fs::read_to_string(argv)
        .with_context(|| format!("cannot read {}", argv.display()))
        .hint("start the machines again: hardway down, then hardway up")?;
    Ok(text.contains(words))
}

/// Writes ssh's configuration and the keys that machines are known by.
fn write_config(paths: &Paths, topology: &Topology) -> Result<()> {
    let mut known = String::new();
    let mut hosts = Vec::new();
    for node in &topology.nodes {
        let (Some(guest), Some(key)) = (node.guest(), pki::ssh_host(paths, &node.name)?) else {
            continue;
        };
        let _ = writeln!(known, "{} {key}", node.name);
        hosts.push((node.name.as_str(), guest.ssh_port));
    }
    private_folder(&paths.ssh())?;
    file::replace(&paths.ssh_known_hosts(), known.as_bytes(), file::PRIVATE)?;
    let text = config(
        &hosts,
        &pki::ssh_client_key(paths),
        &paths.ssh_known_hosts(),
    )?;
    file::replace(&paths.ssh_config(), text.as_bytes(), file::PRIVATE)
}

/// The text of an ssh_config(5). Each machine is known by its name, whatever its port.
fn config(hosts: &[(&str, u16)], key: &Path, known: &Path) -> Result<String> {
    let mut text =
        "# Written by `hardway ssh`. scp, sftp and others read it too: -F FILE\n".to_owned();
    for (name, port) in hosts {
        let _ = write!(text, "Host {name}\n  Port {port}\n  HostKeyAlias {name}\n");
    }
    let (key, known) = (quoted(key)?, quoted(known)?);
    text += &format!(
        "\
Host *
  HostName 127.0.0.1
  User root
  IdentityFile {key}
  IdentitiesOnly yes
  IdentityAgent none
  PreferredAuthentications publickey
  UserKnownHostsFile {known}
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  UpdateHostKeys no
"
    );
    Ok(text)
}

/// A path as ssh_config(5) reads it: one word, in which nothing stands for anything else.
fn quoted(path: &Path) -> Result<String> {
    let text = path
        .to_str()
        .filter(|text| !text.contains(['"', '\n', '$']))
        .ok_or_else(|| anyhow!("ssh can't be told of {}", path.display()))
        .hint("move the cluster to a folder without quotes, $ and bytes that are no UTF-8")?;
    Ok(format!("\"{}\"", text.replace('%', "%%")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_names_each_machine_and_our_files() {
        let text = config(
            &[("alpha", 22010), ("sigma", 22021)],
            Path::new("/a b/pki/100%-key.pem"),
            Path::new("/a b/ssh/known_hosts"),
        );
        assert_eq!(
            text.unwrap(),
            "\
# Written by `hardway ssh`. scp, sftp and others read it too: -F FILE
Host alpha
  Port 22010
  HostKeyAlias alpha
Host sigma
  Port 22021
  HostKeyAlias sigma
Host *
  HostName 127.0.0.1
  User root
  IdentityFile \"/a b/pki/100%%-key.pem\"
  IdentitiesOnly yes
  IdentityAgent none
  PreferredAuthentications publickey
  UserKnownHostsFile \"/a b/ssh/known_hosts\"
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  UpdateHostKeys no
"
        );
    }
}
