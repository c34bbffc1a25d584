# Replace OWNER in inputs.hardway.url below: it is where you have hardway from.
{
  description = "sigma, on a machine of your own";

  inputs.hardway.url = "github:OWNER/hardway";

  outputs =
    { hardway, ... }:
    let
      inherit (hardway.inputs) nixpkgs;
    in
    {
      nixosConfigurations.sigma = nixpkgs.lib.nixosSystem {
        modules = [
          { nixpkgs.hostPlatform = "x86_64-linux"; }
          # The core alone: nothing of a virtual machine's disk, firmware or console.
          hardway.nixosModules.components
          # What `hardway generate` wrote, unchanged.
          ./hosts/sigma
          ./machine.nix
        ];
      };
    };
}
