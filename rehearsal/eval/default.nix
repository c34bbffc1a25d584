# What nixos-install has to lay down for one configuration of a flake.
#
#   flake    the flake's folder, a path
#   name     an attribute of its nixosConfigurations
#   medium   what the medium holds, by name: { packages = { kubernetes = "/nix/store/…"; }; images = "/nix/store/…"; }
#
# The flake's own flake.nix decides which modules make the configuration; only its
# input nixpkgs is a stand-in, whose nixosSystem merges modules as merge.nix does.
{
  flake,
  name,
  medium,
}:
let
  lib = import ./lib.nix;
  packages = import ./packages.nix { inherit medium; };
  render = import (flake + "/modules/render");

  # Real NixOS modules, which need nixpkgs: the rehearsal stands in for what they
  # do (layout.nix), and takes their pure part from them (render).
  isOwn =
    module:
    builtins.elem (toString module) (
      map (file: toString (flake + file)) [
        "/modules"
        "/modules/default.nix"
      ]
    );

  nixosSystem =
    {
      modules,
      system ? null,
      specialArgs ? { },
    }:
    let
      merged = import ./merge.nix {
        inherit lib specialArgs;
        inherit (packages) pkgs;
        options = import ./options.nix { inherit render; };
        modules =
          builtins.filter (
            module: builtins.isAttrs module || builtins.isFunction module || !isOwn module
          ) modules
          ++ (if system == null then [ ] else [ { nixpkgs.hostPlatform = system; } ]);
      };
    in
    {
      config = merged;
      manifest = builtins.deepSeq merged (
        import ./layout.nix {
          inherit render packages medium;
          config = merged;
        }
      );
    };

  source = import (flake + "/flake.nix");
  self = outputs // {
    inherit outputs;
    outPath = toString flake;
    inputs = { inherit nixpkgs; };
  };
  nixpkgs = {
    lib = lib // {
      inherit nixosSystem;
    };
    legacyPackages = throw "rehearsal: a configuration may not take packages from nixpkgs.legacyPackages; use the module argument pkgs";
    outPath = throw "rehearsal: there is no nixpkgs here to read files from";
  };
  outputs = source.outputs { inherit self nixpkgs; };
  configurations =
    outputs.nixosConfigurations
      or (throw "rehearsal: ${toString flake}/flake.nix has no nixosConfigurations");
in
(configurations.${name}
  or (throw "rehearsal: the flake has no nixosConfigurations.${name}; it has: ${toString (builtins.attrNames configurations)}")
).manifest
