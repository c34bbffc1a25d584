{
  description = "Kubernetes the hard way on NixOS virtual machines, in one command";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";

  outputs =
    { self, nixpkgs }:
    let
      inherit (nixpkgs) lib;
      systems = [
        "x86_64-linux"
        "aarch64-linux"
        "x86_64-darwin"
        "aarch64-darwin"
      ];
      forAll = f: lib.genAttrs systems (system: f system nixpkgs.legacyPackages.${system});
    in
    {
      packages = forAll (
        system: pkgs: {
          default = self.packages.${system}.hardway;
          hardway = pkgs.callPackage ./generator/package.nix { };
        }
      );

      apps = forAll (
        system: pkgs:
        import ./generator/apps.nix {
          inherit lib pkgs;
          inherit (self.packages.${system}) hardway;
        }
      );

      nixosModules = {
        default = ./modules;
        components = ./modules/components.nix;
        qemu-guest = ./modules/qemu-guest.nix;
      };

      # A flake of one's own: nixosConfigurations = hardway.lib.nodes { hosts = ./hosts; };
      lib.nodes = import ./modules/nodes.nix { inherit nixpkgs; };
      nixosConfigurations = self.lib.nodes { hosts = ./hosts; };

      checks = forAll (
        system: pkgs:
        import ./checks {
          inherit lib pkgs;
          inherit (self.packages.${system}) hardway;
          nodes = self.nixosConfigurations;
        }
      );
      formatter = forAll (_: pkgs: pkgs.nixfmt-tree);
      devShells = forAll (
        system: pkgs: {
          default = import ./generator/shell.nix {
            inherit pkgs;
            inherit (self.packages.${system}) hardway;
          };
        }
      );
      overlays.default = final: _: { hardway = final.callPackage ./generator/package.nix { }; };
    };
}
