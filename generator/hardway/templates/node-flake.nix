# This machine, as a flake: `nixos-rebuild switch --flake /etc/hardway#<node>-<system>`.
#
#   hosts/<node>/   the generated host module, of this machine alone
#   hosts/peers.nix what it knows of the other nodes
#   modules/        what turns it into NixOS
#   extra/<node>/   the user's own NixOS modules for it, if cluster.json names any
#   base/           only while the base image is made: what the cluster's nodes share
#
# Keys are not here: a flake's folder is copied into the store, which everyone can read.
{
  description = "One node of a Kubernetes cluster made by hardway";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";

  outputs =
    { nixpkgs, ... }:
    let
      # Sorted names of what is in a folder; none where there is no such folder.
      names =
        folder: if builtins.pathExists folder then builtins.attrNames (builtins.readDir folder) else [ ];
      isNode = name: builtins.pathExists (./hosts + "/${name}/default.nix");
      nodes = builtins.filter isNode (names ./hosts);

      extras = node: map (name: ./extra + "/${node}/${name}") (names (./extra + "/${node}"));

      configuration = name: modules: system: {
        name = "${name}-${system}";
        value = nixpkgs.lib.nixosSystem {
          modules = [
            { nixpkgs.hostPlatform = system; }
            ./modules
          ]
          ++ modules;
        };
      };
      onBoth =
        name: modules:
        map (configuration name modules) [
          "x86_64-linux"
          "aarch64-linux"
        ];

      # No node can have this name: a host name has no underscore.
      base = if builtins.pathExists ./base then onBoth "shared_base" [ ./base ] else [ ];
    in
    {
      nixosConfigurations = builtins.listToAttrs (
        base ++ builtins.concatMap (node: onBoth node ([ (./hosts + "/${node}") ] ++ extras node)) nodes
      );
    };
}
