# What flake.nix offers on one system, by name: enough of nixpkgs is stood in for to
# list the outputs, and none is evaluated further.
let
  system = "x86_64-linux";
  outputs = (import ../flake.nix).outputs {
    self = { };
    nixpkgs = {
      lib = {
        genAttrs =
          names: f:
          builtins.listToAttrs (
            map (name: {
              inherit name;
              value = f name;
            }) names
          );
        optionalAttrs = condition: set: if condition then set else { };
      };
      legacyPackages.${system} = {
        callPackage = _: _: { };
        stdenv.hostPlatform.isLinux = true;
      };
    };
  };
in
{
  apps = builtins.attrNames (import ./apps.nix);
  packages = builtins.attrNames outputs.packages.${system};
  devShells = builtins.attrNames outputs.devShells.${system};
}
