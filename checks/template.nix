# The template's nixosConfigurations, as its own flake.nix makes them, with NixOS'
# module system and packages that are only named: for each, the words that start the
# kubelet, and the assertions that fail.
#
#   folder   a copy of templates/default in which `hardway generate` has run
{
  folder,
  names,
  nixpkgs,
}:
let
  plainLib = import (nixpkgs + "/lib");
  lib = plainLib.extend (
    _: _: {
      nixosSystem =
        { modules }:
        import (nixpkgs + "/nixos/lib/eval-config.nix") {
          inherit lib modules;
          system = null;
          pkgs = import ./expected/packages.nix {
            inherit names nixpkgs;
            lib = plainLib;
            system = "x86_64-linux";
          };
        };
    }
  );
  hardway = {
    apps = { };
    nixosConfigurations = import ../installer { nixpkgs = { inherit lib; }; };
    lib.nodes = import ../modules/nodes.nix { nixpkgs = { inherit lib; }; };
  };
  outputs = (import (folder + "/flake.nix")).outputs { inherit hardway; };
in
lib.mapAttrs (_: one: {
  inherit (one.config.systemd.services.kubelet.serviceConfig) ExecStart;
  failed = map (each: each.message) (lib.filter (each: !each.assertion) one.config.assertions);
}) { inherit (outputs.nixosConfigurations) gamma sigma; }
