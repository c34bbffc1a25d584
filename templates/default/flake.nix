# Replace OWNER in inputs.hardway.url below, or have it replaced: `hardway init --flake URL`.
#
# A Kubernetes cluster of your own.
#
#   cluster.json, cluster.env   what it is: nodes, ranges, sizes, ports
#   sigma.nix                   a NixOS module of yours, for the node sigma alone
#   hosts/                      `nix run .#generate` writes it; commit it
#
#     git init && git add -A    do this first: outside git, Nix copies the whole folder into
#                               its store, keys too
#     nix run .#cluster-up      generates, installs, starts and tests the cluster
#     nix run .#status
#     nix run .#down
{
  description = "A Kubernetes cluster of your own";

  # Where this template is from.
  inputs.hardway.url = "github:OWNER/hardway";

  outputs =
    { hardway, ... }:
    {
      inherit (hardway) apps;
      # <node>-x86_64-linux and <node>-aarch64-linux, once hosts/ is there; and the
      # medium of `nix run .#up -- --iso flake`.
      nixosConfigurations = hardway.lib.nodes { hosts = ./hosts; } // {
        inherit (hardway.nixosConfigurations) installer-x86_64 installer-aarch64;
      };
    };
}
