# Unit tests of modules/: what a component becomes, one bad node for each assertion,
# and what a person can do in a module of their own. Gives the failures, as
# lib.runTests does; [ ] is good.
{ lib }:
let
  stub = import ./modules/stub.nix { inherit lib; };
  tests = file: import file { inherit lib stub; };
in
lib.runTests (
  tests ./modules/components.nix
  // tests ./modules/assertions.nix
  // tests ./modules/own.nix
  // tests ./modules/render.nix
)
