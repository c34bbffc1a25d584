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
  down = verb "down" "Shuts the machines down";
  generate = verb "generate" "Writes hosts/, certificates and kubeconfigs from cluster.json";
  init = verb "init" "Writes a cluster.json to begin with";
  install = verb "install" "Installs machines again, from nothing";
  medium = verb "medium" "Downloads what machines are installed from, ahead of time";
  reset = verb "reset" "Brings the cluster back to what it was when installed";
  restore = verb "restore" "Brings every machine back to a snapshot";
  snapshot = verb "snapshot" "Saves the running cluster, lists, shows and deletes snapshots";
  status = verb "status" "Says what runs and what is Ready";
  up = verb "up" "Generates, installs what is not installed, starts, and waits for Ready";
  verify = verb "verify" "Tests the running cluster";
}
