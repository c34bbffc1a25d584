{
  description = "A Kubernetes cluster of one's own";

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
