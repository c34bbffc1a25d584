# Everything that JSON can say. A Nix path is left out on purpose: it would be
# copied to the store, which everyone can read.
{ lib }:
let
  inherit (lib) types;
  value =
    types.nullOr (
      types.oneOf [
        types.bool
        types.int
        types.float
        types.str
        (types.listOf value)
        (types.attrsOf value)
      ]
    )
    // {
      description = "structured value (null, boolean, number, string, list or attribute set of these)";
    };
in
value
