# `nix run .#<verb>`: the verbs of hardway, and `cluster-up`, which does it all.
# Each runs in the folder that the user is in.
{
  hardway,
  lib,
  pkgs,
}:
let
  app = name: description: text: {
    type = "app";
    program = lib.getExe (
      pkgs.writeShellApplication {
        name = "hardway-${name}";
        runtimeInputs = [ hardway ];
        inherit text;
      }
    );
    meta = { inherit description; };
  };
  verb = name: description: app name description ''exec hardway ${name} "$@"'';
in
lib.mapAttrs verb {
  down = "Shuts the machines down";
  generate = "Writes hosts/, certificates and kubeconfigs from cluster.json";
  install = "Installs one machine";
  status = "Says what runs and what is Ready";
  up = "Generates, installs what is not installed, starts, and waits for Ready";
  verify = "Tests the running cluster";
}
// {
  # All words go to `up`; of them `verify` takes only which cluster it is.
  cluster-up = app "cluster-up" "Generates, installs, starts and tests the cluster" ''
    words=("$@")
    folder=()
    for ((n = 0; n < $#; n++)); do
      case ''${words[n]} in
        --dir) folder=(--dir "''${words[n + 1]}") ;;
        --dir=*) folder=("''${words[n]}") ;;
      esac
    done
    hardway up "$@"
    hardway verify "''${folder[@]}"
  '';
}
