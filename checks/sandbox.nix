# What ./crate.nix gives the crate's tests, as data for ./sandbox-test: the packages
# whose programs are on their PATH, the files of the repository, the environment.
#
# Evaluated without nixpkgs: a package of nixpkgs stands here for its own name, and
# `known` has the names that are allowed.
{ known }:
let
  named =
    names:
    builtins.listToAttrs (
      map (name: {
        inherit name;
        value = name;
      }) names
    );
  package = import ../generator/package.nix;
  hardway = package (
    named (builtins.attrNames (builtins.functionArgs package))
    // {
      lib = { };
      rustPlatform.buildRustPackage = attributes: {
        inherit (attributes) nativeBuildInputs;
        overrideAttrs = changed: changed;
      };
    }
  );
  crate = import ./crate.nix {
    inherit hardway;
    lib.fileset = {
      toSource = source: source.fileset;
      unions = map toString;
    };
    pkgs = named known;
  };
in
{
  inherit (crate) env preCheck;
  files = crate.src;
  packages = crate.nativeBuildInputs ++ crate.nativeCheckInputs;
}
