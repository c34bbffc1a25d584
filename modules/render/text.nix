# Strings and numbers as the three configuration formats share them.
let
  char = code: builtins.fromJSON ''"\u${code}"'';
  hex = n: builtins.substring n 1 "0123456789abcdef";

  # Legal in JSON as they stand, but YAML and TOML refuse them or (U+0085, U+2028,
  # U+2029, in YAML 1.1) fold them like line breaks: written as escapes.
  codes = [
    "007f"
    "2028"
    "2029"
    "feff"
    "fffe"
    "ffff"
  ]
  ++ builtins.genList (n: "008${hex n}") 16
  ++ builtins.genList (n: "009${hex n}") 16;
in
{
  # A string between double quotes, valid in JSON, YAML 1.1 and 1.2, and TOML.
  quoted =
    value:
    builtins.replaceStrings (map char codes) (map (code: "\\u${code}") codes) (builtins.toJSON value);

  # A number with a point stays one with a point in every format.
  float =
    value:
    let
      written = builtins.toJSON value;
    in
    if builtins.match "-?[0-9]+[.][0-9]+" written != null then
      written
    else if builtins.match "-?[0-9]+" written != null then
      "${written}.0"
    else
      throw "hardway: the number ${written} needs an exponent; write it as a string";

  # Says what can't be rendered, and where.
  unsupported =
    format: value: throw "hardway: ${format} has no form for a value of type ${builtins.typeOf value}";

  lines = builtins.concatStringsSep "\n";
  indent = map (line: "  ${line}");
}
