# Merges modules as NixOS does, as far as the rehearsal goes: functions and sets,
# imports, mkIf, mkMerge, mkForce and their like. Every option must be one of
# `options` (options.nix); any other is an error that names it and its file.
{
  lib,
  pkgs,
  options,
  modules,
  specialArgs,
}:
let
  types = import ./types.nix;
  inherit (types) show;
  inherit (builtins)
    attrNames
    concatMap
    elem
    filter
    isAttrs
    isFunction
    isList
    mapAttrs
    ;

  arguments = {
    inherit config lib pkgs;
    options = throw "rehearsal: the module argument `options` is not known here";
    modulesPath = throw "rehearsal: the module argument `modulesPath` is not known here: there is no nixpkgs to import modules from";
  }
  // specialArgs;

  # MODULE (a path, a function or a set) -> [ { file, value } ], what it imports included.
  load =
    from: module:
    let
      isPath = !(isAttrs module || isFunction module);
      file = if isPath then toString module else from;
      imported =
        if !isPath then
          module
        else if builtins.pathExists module then
          import module
        else
          throw "rehearsal: the module ${file} does not exist (imported by ${from})";
      body = if isFunction imported then imported arguments else imported;
      full = body ? config || body ? options;
      known = [
        "imports"
        "config"
        "options"
        "_file"
        "key"
        "_class"
        "meta"
      ];
      stray = filter (name: !elem name known) (attrNames body);
      value =
        if !isAttrs body then
          throw "rehearsal: the module ${file} is not an attribute set, nor a function to one"
        else if (body.options or { }) != { } then
          throw "rehearsal: the module ${file} declares options of its own (${toString (attrNames body.options)}), which the rehearsal does not know how to do"
        else if full && stray != [ ] then
          throw "rehearsal: the module ${file} has both `config` and ${builtins.head stray}; hint: move it into `config`"
        else if full then
          body.config or { }
        else
          removeAttrs body (filter (name: name != "config") known);
    in
    concatMap (load file) (body.imports or [ ]) ++ [ { inherit file value; } ];

  typeOf = value: if isAttrs value then value._type or null else null;
  wrap =
    property: one:
    one // { value = mapAttrs (_: content: property // { inherit content; }) one.value; };

  # A set of options: what stands around it moves to each of its members, so that a
  # condition is not asked before the member is.
  pushDown =
    path: one:
    let
      inherit (one) value;
      inner = content: pushDown path (one // { value = content; });
      type = typeOf value;
    in
    if type == "merge" then
      concatMap inner value.contents
    else if
      elem type [
        "if"
        "override"
        "order"
      ]
    then
      map (wrap (removeAttrs value [ "content" ])) (inner value.content)
    else if isAttrs value then
      [ one ]
    else
      wrongType path one "an attribute set";

  # A single option: conditions are asked, priority and order noted.
  discharge =
    one:
    let
      inherit (one) value;
      inner = content: discharge (one // { value = content; });
      type = typeOf value;
    in
    if type == "merge" then
      concatMap inner value.contents
    else if type == "if" then
      (if value.condition then inner value.content else [ ])
    else if type == "override" then
      map (found: { priority = value.priority; } // found) (inner value.content)
    else if type == "order" then
      map (found: { order = value.priority; } // found) (inner value.content)
    else
      [ one ];
  strongest =
    definitions:
    let
      priority = one: one.priority or 100;
      best = builtins.foldl' (
        least: one: if priority one < least then priority one else least
      ) 9999 definitions;
      order = one: one.order or 1000;
    in
    builtins.sort (a: b: order a < order b) (filter (one: priority one == best) definitions);

  wrongType =
    path: one: wanted:
    throw "rehearsal: the option ${show path} is ${builtins.typeOf one.value} in ${one.file}, not ${wanted}";

  namesIn = definitions: attrNames (builtins.foldl' (all: one: all // one.value) { } definitions);
  under =
    name: definitions:
    concatMap (
      one: if one.value ? ${name} then [ (one // { value = one.value.${name}; }) ] else [ ]
    ) definitions;

  merge =
    path: type: definitions:
    if type ? fields then
      let
        pushed = concatMap (pushDown path) definitions;
        stray = concatMap (
          one:
          map (name: {
            inherit name;
            inherit (one) file;
          }) (filter (name: !(type.fields ? ${name})) (attrNames one.value))
        ) pushed;
        first = builtins.head stray;
      in
      if stray != [ ] then
        throw "rehearsal: ${first.file} sets ${show (path ++ [ first.name ])}, an option that the rehearsal does not know${
          if path == [ ] then "" else " (below ${show path} it knows: ${toString (attrNames type.fields)})"
        }"
      else
        let
          # What modules/ itself gives an option, in the light of those beside it.
          own =
            field:
            if field ? given then
              [
                {
                  file = "modules/";
                  value = field.given result;
                }
              ]
            else
              [ ];
          result = mapAttrs (
            name: field: merge (path ++ [ name ]) field (own field ++ under name pushed)
          ) type.fields;
        in
        result
    else if type ? elements then
      let
        found = concatMap (pushDown path) (strongest (concatMap discharge definitions));
        names = namesIn found;
      in
      builtins.listToAttrs (
        concatMap (
          name:
          let
            own = under name found;
            # A member whose every definition is conditional and off is not there.
            present = type.elements ? fields || concatMap discharge own != [ ];
          in
          if present then
            [
              {
                inherit name;
                value = merge (path ++ [ name ]) type.elements own;
              }
            ]
          else
            [ ]
        ) names
      )
    else
      leaf path type (strongest (concatMap discharge definitions));

  leaf =
    path: type: found:
    let
      wrong = filter (one: !type.check one.value) found;
    in
    if found == [ ] then
      (
        if type ? default then
          (if isFunction type.default then type.default path else type.default)
        else
          throw "rehearsal: the option ${show path} has no value"
      )
    else if wrong != [ ] then
      wrongType path (builtins.head wrong) type.name
    else if
      type.freeform or false && builtins.all (one: isAttrs one.value && !(one.value ? outPath)) found
    then
      mapAttrs (name: _: merge (path ++ [ name ]) type (under name found)) (
        builtins.foldl' (all: one: all // one.value) { } found
      )
    else
      type.merge path found;

  all = concatMap (load "the flake's flake.nix") modules;
  config = merge [ ] options all;
in
assert isList modules;
config
