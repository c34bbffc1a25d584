# `nix run .#<name>`: the verbs of hardway, and `cluster-up`, which does it all.
# Each runs in the folder that the user is in. The verbs are the command line's own:
# `hardway reference apps` writes apps.json, by scripts/regenerate.
{
  hardway,
  lib,
  pkgs,
}:
let
  app = name: words: description: {
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
  verbs = builtins.fromJSON (builtins.readFile ./apps.json);
in
builtins.mapAttrs (name: app name name) verbs
// {
  cluster-up = app "cluster-up" "up --init --verify" "Generate, install, start and test the cluster";
}
