# `nix run .#<name>`: the verbs of hardway, and `cluster-up`, which does it all.
# Each runs in the folder that the user is in.
{
  hardway,
  lib,
  pkgs,
}:
let
  app =
    name:
    { words, description }:
    {
      type = "app";
      program = lib.getExe (
        pkgs.writeShellApplication {
          name = "hardway-${name}";
          runtimeInputs = [ hardway ];
          text = ''exec hardway ${words} "$@"'';
        }
      );
      meta = { inherit description; };
    };
  verb = words: description: { inherit words description; };
in
lib.mapAttrs app {
  apply = verb "apply" "Brings running machines to what is generated now, one after the other";
  cluster-up = verb "up --init --verify" "Generates, installs, starts and tests the cluster";
  console = verb "console" "Attaches the terminal to a machine's serial console";
  doctor = verb "doctor" "Says whether this host has all that `up` needs";
  down = verb "down" "Shuts the machines down";
  explain = verb "explain" "Says what a flag or a field is for, and what breaks without it";
  generate = verb "generate" "Writes hosts/, certificates and kubeconfigs from cluster.json";
  init = verb "init" "Writes a cluster.json to begin with";
  install = verb "install" "Installs machines again, from nothing";
  logs = verb "logs" "Shows a node's journal";
  medium = verb "medium" "Downloads what machines are installed from, ahead of time";
  network = verb "network" "Says who reaches whom in the cluster, and how";
  reset = verb "reset" "Brings the cluster back to what it was when installed";
  restore = verb "restore" "Brings every machine back to a snapshot";
  snapshot = verb "snapshot" "Saves the running cluster, lists, shows and deletes snapshots";
  ssh = verb "ssh" "Logs in on a node with the cluster's own key";
  status = verb "status" "Says what runs and what is Ready";
  top = verb "top" "Says what each machine takes of the host";
  up = verb "up" "Generates, installs what is not installed, starts, and waits for Ready";
  verify = verb "verify" "Tests the running cluster";
}
