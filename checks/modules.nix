# Unit tests of modules/: what a component becomes, one bad node for each assertion,
# what a person can do in a module of their own, and the worked examples. Gives the
# failures, as lib.runTests does; [ ] is good.
{ lib }:
let
  stub = import ./modules/stub.nix { inherit lib; };
  tests = file: import file { inherit lib stub; };
in
lib.runTests (
  tests ./modules/components.nix
  // tests ./modules/assertions.nix
  // tests ./modules/guest.nix
  // tests ./modules/own.nix
  // tests ./modules/render.nix
  // tests ./modules/versions.nix
)
++ import ./examples.nix {
  nixpkgs.lib = lib // {
    nixosSystem = { modules }: stub.evaluate modules;
  };
}
