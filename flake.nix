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
        "aarch64-darwin"
      ];
      forAll = f: lib.genAttrs systems (system: f system nixpkgs.legacyPackages.${system});
      hardwayFor = system: self.packages.${system}.hardway;
    in
    {
      packages = forAll (
        system: pkgs:
        {
          default = hardwayFor system;
          hardway = pkgs.callPackage ./generator/package.nix { };
        }
        # Apart from the checks, which start no machine. It needs KVM.
        // lib.optionalAttrs pkgs.stdenv.hostPlatform.isLinux {
          vm-test = pkgs.testers.runNixOSTest (
            import ./checks/vm-test {
              inherit pkgs;
              hardway = hardwayFor system;
            }
          );
        }
      );

      apps = forAll (
        system: pkgs:
        import ./generator/apps.nix {
          inherit lib pkgs;
          hardway = hardwayFor system;
        }
      );

      nixosModules = {
        default = ./modules;
        components = ./modules/components.nix;
        qemu-guest = ./modules/qemu-guest.nix;
      };

      # A flake of your own: nixosConfigurations = hardway.lib.nodes { hosts = ./hosts; };
      lib.nodes = import ./modules/nodes.nix { inherit nixpkgs; };
      nixosConfigurations =
        self.lib.nodes { hosts = ./hosts; } // import ./installer { inherit nixpkgs; };

      templates.default = {
        path = ./templates/default;
        description = "A Kubernetes cluster of your own";
        welcomeText = ''
          URL is what `nix flake init -t` was given, such as github:NAME/hardway.

              git init && git add -A
              nix run URL#init -- --flake URL
              nix run .#cluster-up

          Inside a git repository leave out `git init`.
        '';
      };

      checks = forAll (
        system: pkgs:
        import ./checks {
          inherit lib pkgs;
          hardway = hardwayFor system;
          configurations = self.nixosConfigurations;
        }
      );
      formatter = forAll (_: pkgs: pkgs.nixfmt-tree);
      devShells = forAll (
        system: pkgs:
        let
          shell = import ./generator/shell.nix;
          arguments = {
            inherit lib pkgs;
            hardway = hardwayFor system;
          };
        in
        {
          default = shell arguments;
          build = shell (arguments // { withHardway = false; });
        }
      );
      overlays.default = final: _: { hardway = final.callPackage ./generator/package.nix { }; };
    };
}
