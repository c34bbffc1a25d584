# What `nix flake check` does beside the builds; nothing of it starts a machine.
{
  hardway,
  lib,
  nodes,
  pkgs,
}:
let
  # A whole system evaluated down to its derivation, and none of it built.
  evaluated =
    name: node:
    pkgs.writeText "evaluated-${name}" (
      builtins.unsafeDiscardStringContext node.config.system.build.toplevel.drvPath
    );

  failures = import ./modules.nix { inherit lib; };
in
{
  inherit hardway;

  modules =
    if failures == [ ] then
      pkgs.writeText "modules" "ok"
    else
      throw "checks/modules.nix: ${lib.generators.toPretty { } failures}";

  shell =
    pkgs.runCommand "shell"
      {
        nativeBuildInputs = [ pkgs.shellcheck ];
        src = lib.fileset.toSource {
          root = ../.;
          fileset = lib.fileset.unions [
            ../checks
            ../rehearsal
            ../scripts
          ];
        };
      }
      ''
        grep -rlE '^#!.*\b(ba)?sh$' "$src" | xargs shellcheck
        touch "$out"
      '';
}
// lib.mapAttrs' (name: node: lib.nameValuePair "node-${name}" (evaluated name node)) nodes
