# A package, or the name of one: host modules are literals and can't say pkgs.kubernetes.
{ lib, pkgs }:
let
  named =
    name:
    lib.attrByPath (lib.splitString "." name) (throw "hardway: there is no package pkgs.${name}") pkgs;
in
lib.types.coercedTo lib.types.str named lib.types.package
