# Configuration files: each has a place, and a place of its own.
{ config, lib, ... }:
let
  inherit (import ./common.nix { inherit config lib; }) components failing node;
  at = path: lib.attrNames (lib.filterAttrs (_: component: component.configPath == path) components);
  paths = lib.unique (
    lib.filter (path: path != null) (lib.mapAttrsToList (_: component: component.configPath) components)
  );
in
{
  assertions =
    lib.mapAttrsToList (name: component: {
      assertion = component.config != { } -> component.configPath != null;
      message = "${node}: hardway.components.${name}.config says something, but hardway.components.${name}.configPath does not say where to write it.";
    }) components
    ++ failing (
      map (
        path:
        "${node}: ${
          lib.concatMapStringsSep " and " (name: "hardway.components.${name}.configPath") (at path)
        } are both ${path}; each needs a file of its own."
      ) (lib.filter (path: lib.length (at path) > 1) paths)
    );
}
