# Replace OWNER in inputs.hardway.url below: it is where you have hardway from.
{
  description = "A Kubernetes cluster of your own";

  inputs.hardway.url = "github:OWNER/hardway";

  outputs =
    { hardway, ... }:
    {
      # nix run .#cluster-up, .#status, .#down, …
      inherit (hardway) apps;
      # <node>-x86_64-linux and <node>-aarch64-linux of every node in hosts/.
      nixosConfigurations = hardway.lib.nodes { hosts = ./hosts; };
    };
}
