//! What is done inside a node: shell text through the guest agent, so that neither a
//! network nor a login is needed.
//!
//! The node's flake is in /etc/hardway. A new one is unpacked beside it and takes its place
//! in one step; the one before stays in /etc/hardway.previous. The keys likewise.

use anyhow::{Context, Result, anyhow};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::difference::{KeyChange, Sums};
use super::job::{Ended, JOB};
use super::units::{self, Relations, Runs};
use crate::deploy::install::Tarballs;
use crate::deploy::tarball::{self, Files};
use crate::ops::interrupt::Interrupt;
use crate::ops::limits::Limits;
use crate::ops::machines::{self, LIST_UNITS, Listed, PROFILE, SYSTEMS};
use crate::ops::wait::printable;
use crate::render::Change;
use common::report::WithHint;
use common::state::Paths;
use model::topology::Node;
use qemu::process::Running;

/// Programs are elsewhere on NixOS, where the agent's own PATH has not all of them.
const PRELUDE: &str = "set -eu
export PATH=/run/current-system/sw/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
";

/// A node's flake is some hundred kilobytes.
const LARGEST_FLAKE: u64 = 64 << 20;

/// Where the flake is unpacked to be looked at, and to be switched to.
const TRIAL: &str = "/run/hardway-apply/flake";
const NEXT: &str = "/etc/hardway.new";

/// A node whose machine runs.
pub(super) struct Guest<'a> {
    pub node: &'a Node,
    running: Running,
    pub limits: Limits,
}

impl<'a> Guest<'a> {
    pub(super) fn of(paths: &Paths, node: &'a Node, limits: Limits) -> Result<Self> {
        Ok(Self {
            node,
            running: machines::reachable(paths, node)?,
            limits,
        })
    }

    /// Runs shell text as root, with `input` on its standard input; its output where it
    /// ended well.
    pub(super) fn run(&self, script: &str, arguments: &[&str], input: &[u8]) -> Result<String> {
        let script = format!("{PRELUDE}{script}");
        let mut argv = vec!["/bin/sh", "-c", &script, "sh"];
        argv.extend(arguments);
        let output = self
            .running
            .agent()?
            .exec_with_input(&argv, input, self.limits.command())?;
        if output.code == 0 {
            return Ok(output.stdout);
        }
        let said: Vec<String> = output.stderr.trim().lines().map(printable).collect();
        Err(anyhow!("{}", said.join("\n")).context(format!("exit code {}", output.code)))
    }

    /// The flake that the node has.
    pub(super) fn flake(&self) -> Result<Files> {
        let text = self
            .run("tar -C /etc/hardway -czf - . | base64 -w0", &[], b"")
            .with_context(|| format!("cannot read /etc/hardway on {}", self.node.name))?;
        let bytes = STANDARD.decode(text.trim()).context("no base64")?;
        tarball::unpack(&bytes, LARGEST_FLAKE)
            .with_context(|| format!("cannot unpack /etc/hardway of {}", self.node.name))
    }

    /// The keys that it has, by their sums alone.
    pub(super) fn keys(&self) -> Result<Sums> {
        let text = self
            .run(
                // One process for all: an emulated processor takes a tenth of a second to start one.
                "cd /var/lib/hardway/pki
for file in *; do [ ! -f \"$file\" ] || set -- \"$@\" \"$file\"; done
[ $# = 0 ] || sha256sum -- \"$@\"",
                &[],
                b"",
            )
            .with_context(|| format!("cannot look at the keys on {}", self.node.name))?;
        Ok(text
            .lines()
            .filter_map(|line| line.split_once("  "))
            .map(|(sum, name)| (name.to_owned(), sum.to_owned()))
            .collect())
    }

    /// Unpacks the flake where `place` says; what was there goes.
    fn send(&self, tarballs: &Tarballs, place: &str) -> Result<()> {
        let script = r#"umask 077
mkdir -p /run/hardway-apply
cd /run/hardway-apply
trap 'rm -f flake.tar.gz' EXIT
cat >flake.tar.gz
echo "$1  flake.tar.gz" | sha256sum --check --status || {
  echo "the SHA-256 of what arrived is not the one that was sent" >&2
  exit 64
}
umask 022
rm -rf "$2"
mkdir "$2"
tar -xzf flake.tar.gz -C "$2" --no-same-owner
if grep -rle '-----BEGIN.*PRIVATE KEY-----' "$2" >&2; then
  rm -rf "$2"
  echo "a private key is in this file, and everyone could read it in the Nix store" >&2
  exit 65
fi"#;
        self.run(script, &[&tarballs.flake_sha256(), place], &tarballs.flake)
            .map(drop)
            .with_context(|| format!("cannot send the flake to {}", self.node.name))
    }

    /// Puts the keys in the place of those that are there, each with its reader's rights:
    /// hardway-pki.service sees to a new one.
    pub(super) fn send_keys(&self, tarballs: &Tarballs) -> Result<()> {
        let script = r#"umask 077
cd /var/lib/hardway
trap 'rm -f keys.tar.gz' EXIT
cat >keys.tar.gz
echo "$1  keys.tar.gz" | sha256sum --check --status || {
  echo "the SHA-256 of what arrived is not the one that was sent" >&2
  exit 64
}
rm -rf pki.new pki.previous
mkdir pki.new
# A file's time tells when its content came: now, unless it is the same as before.
tar -xzf keys.tar.gz -C pki.new --no-same-owner --touch
for file in pki.new/*; do
  before=pki/${file#pki.new/}
  [ -f "$before" ] || continue
  attributes=mode,ownership
  ! cmp -s "$before" "$file" || attributes=$attributes,timestamps
  cp --attributes-only --preserve="$attributes" "$before" "$file"
done
chmod --reference=pki pki.new
mv --exchange --no-target-directory pki.new pki
mv pki.new pki.previous"#;
        self.run(script, &[&tarballs.keys_sha256()], &tarballs.keys)
            .map(drop)
            .with_context(|| format!("cannot send the keys to {}", self.node.name))
    }

    /// What a switch to the flake would do to the node's units, in NixOS' words.
    pub(super) fn dry(&self, tarballs: &Tarballs, interrupt: &Interrupt) -> Result<Ended> {
        self.send(tarballs, TRIAL)?;
        let ended = self.rebuild("dry-activate", TRIAL, interrupt);
        let _ = self.run("rm -rf \"$1\"", &[TRIAL], b"");
        ended
    }

    /// Sends what changed and switches to it.
    pub(super) fn switch(
        &self,
        tarballs: &Tarballs,
        keys: &[KeyChange],
        stage: &dyn Fn(&str),
        interrupt: &Interrupt,
    ) -> Result<Ended> {
        stage("send");
        self.send(tarballs, NEXT)?;
        if !keys.is_empty() {
            self.send_keys(tarballs)?;
        }
        interrupt.check()?;
        stage("switch");
        self.rebuild("switch", NEXT, interrupt)
    }

    /// Makes what was sent, and was not switched to, the configuration of the next boot.
    pub(super) fn boot(&self, interrupt: &Interrupt) -> Result<Ended> {
        self.rebuild("boot", NEXT, interrupt)
    }

    fn rebuild(&self, verb: &str, folder: &str, interrupt: &Interrupt) -> Result<Ended> {
        // NixOS' nixos-rebuild would first build itself from the flake, and run that.
        let command = format!(
            "exec nixos-rebuild {verb} --no-reexec --flake \"path:{folder}#{}-$(uname -m)-linux\"",
            self.node.name
        );
        self.job(&command, interrupt)
            .with_context(|| format!("nixos-rebuild {verb} on {}", self.node.name))
    }

    /// The flake that was switched to takes the other's place.
    pub(super) fn keep(&self) -> Result<()> {
        let script = "cd /etc
mv --exchange --no-target-directory hardway.new hardway
rm -rf hardway.previous
mv hardway.new hardway.previous";
        self.run(script, &[], b"")
            .map(drop)
            .with_context(|| format!("cannot put /etc/hardway in its place on {}", self.node.name))
    }

    /// The keys from before are of no more use.
    pub(super) fn forget_keys(&self) -> Result<()> {
        self.run("rm -rf /var/lib/hardway/pki.previous", &[], b"")
            .map(drop)
    }

    /// The generation that is the current one.
    pub(super) fn generation(&self) -> Result<String> {
        let text = self
            .run("readlink \"$1\"", &[PROFILE], b"")
            .with_context(|| format!("{} has no {PROFILE}", self.node.name))
            .hint(format!(
                "it was installed by an older hardway: `hardway install {}`",
                self.node.name
            ))?;
        Ok(text.trim().to_owned())
    }

    /// Whether it boots next into another configuration than the one that it runs.
    pub(super) fn boot_pending(&self) -> Result<bool> {
        let output = self
            .running
            .agent()?
            .exec(&SYSTEMS, self.limits.command())
            .with_context(|| format!("cannot ask {} what it boots next", self.node.name))?;
        Ok(machines::boot_pending(&output))
    }

    /// The runs of its services.
    pub(super) fn runs(&self) -> Result<Runs> {
        let script = "exec systemctl show --property=Id --property=InvocationID \
             --property=ActiveState '*.service'";
        let text = self
            .run(script, &[], b"")
            .with_context(|| format!("cannot look at the units of {}", self.node.name))?;
        let mut runs = units::runs(&text);
        runs.remove(JOB);
        Ok(runs)
    }

    /// What its units have to do with each other.
    pub(super) fn relations(&self) -> Result<Relations> {
        let mut script = "exec systemctl show".to_owned();
        for property in Relations::PROPERTIES {
            script += &format!(" --property={property}");
        }
        script += " '*.service' '*.socket'";
        let text = self
            .run(&script, &[], b"")
            .with_context(|| format!("cannot look at the units of {}", self.node.name))?;
        Ok(Relations::read(&text))
    }

    pub(super) fn restart(&self, units: &[String], interrupt: &Interrupt) -> Result<()> {
        let ended = self.job(
            &format!("exec systemctl restart {}", units.join(" ")),
            interrupt,
        )?;
        if ended.code == 0 {
            return Ok(());
        }
        Err(anyhow!("{}", ended.log).context(format!(
            "cannot restart {} on {}",
            units.join(", "),
            self.node.name
        )))
    }

    /// Those of `units` that are not active, each with its state.
    pub(super) fn inactive(&self, units: &[String]) -> Result<Vec<String>> {
        let output = self
            .running
            .agent()?
            .exec(&LIST_UNITS, self.limits.command())?;
        Ok(Listed::read(units, &output)?.inactive())
    }

    /// Makes the node what it was: `generation`, the flake and the keys from before.
    /// False where there was nothing to undo.
    pub(super) fn back(&self, generation: &str, flake: bool, keys: &[KeyChange]) -> Result<bool> {
        // What must be finished is not interrupted.
        let interrupt = Interrupt::none();
        let script = r#"systemctl stop hardway-apply.service nixos-rebuild-switch-to-configuration.service 2>/dev/null || true
cd /etc
rm -rf hardway.new
if [ "$1" = yes ]; then
  mv --exchange --no-target-directory hardway.previous hardway
  rm -rf hardway.previous
fi
cd /var/lib/hardway
rm -rf pki.new
if [ "$2" = yes ] && [ -d pki.previous ]; then
  mv --exchange --no-target-directory pki.previous pki
  rm -rf pki.previous
fi"#;
        let yes = |it: bool| if it { "yes" } else { "no" };
        self.run(script, &[yes(flake), yes(!keys.is_empty())], b"")?;
        if self.generation()? == generation {
            return Ok(flake || !keys.is_empty());
        }
        let command = format!(
            "ln -sfn {generation} {PROFILE} && exec {PROFILE}/bin/switch-to-configuration switch"
        );
        let ended = self.job(&command, &interrupt)?;
        if ended.code != 0 {
            return Err(anyhow!("{}", ended.log)
                .context(format!("switch-to-configuration ended with {}", ended.code)));
        }
        Ok(true)
    }
}

/// How many keys a change leaves as they are is not told: only what differs.
pub(super) fn names(keys: &[KeyChange]) -> String {
    let names: Vec<String> = keys
        .iter()
        .map(|key| match key.change {
            Change::Create => format!("{} (new)", key.name),
            Change::Update => key.name.clone(),
            Change::Remove => format!("{} (gone)", key.name),
        })
        .collect();
    names.join(", ")
}
