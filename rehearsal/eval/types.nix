# Types of options: how to check one definition, and what several give together.
#
#   { name, check, merge }      merge PATH DEFINITIONS -> value; each definition is { file, value }
#   { name, elements }          an attribute set of any names, each merged as `elements`
#   { name, fields }            an attribute set of these names and no other
# `default`, where present, is the value where nothing is defined. `given`, in a field
# of a set, makes one more definition out of the whole set.
rec {
  show = path: builtins.concatStringsSep "." (map quote path);
  quote =
    name: if builtins.match "[A-Za-z_][A-Za-z0-9_-]*" name != null then name else builtins.toJSON name;

  same =
    path: definitions:
    let
      first = builtins.head definitions;
      other = builtins.filter (one: one.value != first.value) definitions;
    in
    if other == [ ] then
      first.value
    else
      throw "rehearsal: the option ${show path} has two values: ${builtins.toJSON first.value} in ${first.file}, and ${builtins.toJSON (builtins.head other).value} in ${(builtins.head other).file}; hint: lib.mkForce in one of them";

  scalar = name: check: {
    inherit name check;
    merge = same;
  };
  bool = scalar "true or false" builtins.isBool;
  int = scalar "a whole number" builtins.isInt;
  str = scalar "a string" builtins.isString;
  strMatching =
    pattern:
    scalar "a string like ${pattern}" (
      value: builtins.isString value && builtins.match pattern value != null
    );
  port = scalar "a port, 0 to 65535" (value: builtins.isInt value && value >= 0 && value <= 65535);
  enum = values: scalar "one of ${builtins.toJSON values}" (value: builtins.elem value values);
  # The rehearsal does one thing, and says so where another is asked for.
  only =
    value:
    scalar "${builtins.toJSON value}, the only value that the rehearsal knows" (given: given == value);
  package = scalar "a package, or the name of one" (
    value: builtins.isString value || value ? outPath
  );
  file = scalar "a path" (value: builtins.isPath value || builtins.isString value);

  lines = {
    name = "a string";
    check = builtins.isString;
    merge = _: definitions: builtins.concatStringsSep "\n" (map (one: one.value) definitions);
  };
  listOf = element: {
    name = "a list, each of ${element.name}";
    check = value: builtins.isList value && builtins.all element.check value;
    merge = _: builtins.concatMap (one: one.value);
    default = [ ];
  };
  nullOr =
    type:
    type
    // {
      name = "null or ${type.name}";
      check = value: value == null || type.check value;
      merge =
        path: definitions:
        if builtins.any (one: one.value == null) definitions then
          same path definitions
        else
          type.merge path definitions;
      default = null;
    };
  attrsOf = elements: {
    name = "an attribute set";
    inherit elements;
    default = { };
  };
  set = fields: {
    name = "an attribute set";
    inherit fields;
  };
  withDefault = default: type: type // { inherit default; };

  # Whatever JSON can say. Sets merge by name and lists one after the other, so
  # that a module can add one setting to what the plan gave.
  value = {
    name = "null, true, false, a number, a string, a list or an attribute set";
    check = given: !(builtins.isFunction given || builtins.isPath given);
    merge =
      path: definitions:
      let
        every = check: builtins.all (one: check one.value) definitions;
      in
      if every builtins.isList then
        builtins.concatMap (one: one.value) definitions
      else
        same path definitions;
    freeform = true;
  };
}
