# The part of nixpkgs' lib that a host module or a flake.nix of a few lines needs.
# The other names that people reach for first say so, instead of "attribute missing".
let
  nameValuePair = name: value: { inherit name value; };
  mapAttrsToList = f: set: map (name: f name set.${name}) (builtins.attrNames set);
  known = rec {
    inherit (builtins)
      all
      any
      attrNames
      attrValues
      concatLists
      concatMap
      concatStringsSep
      elem
      elemAt
      filter
      foldl'
      functionArgs
      getAttr
      hasAttr
      head
      intersectAttrs
      isAttrs
      isBool
      isFunction
      isInt
      isList
      isString
      length
      listToAttrs
      mapAttrs
      match
      removeAttrs
      replaceStrings
      splitVersion
      stringLength
      substring
      tail
      toJSON
      fromJSON
      toString
      ;
    inherit nameValuePair mapAttrsToList;
    id = x: x;
    const = x: _: x;
    genAttrs = names: f: listToAttrs (map (name: nameValuePair name (f name)) names);
    filterAttrs =
      f: set:
      listToAttrs (
        concatMap (n: if f n set.${n} then [ (nameValuePair n set.${n}) ] else [ ]) (attrNames set)
      );
    mapAttrs' = f: set: listToAttrs (mapAttrsToList f set);
    concatMapAttrs = f: set: foldl' (all: one: all // one) { } (mapAttrsToList f set);
    concatMapStringsSep =
      separator: f: list:
      concatStringsSep separator (map f list);
    concatStrings = concatStringsSep "";
    mergeAttrsList = foldl' (all: one: all // one) { };
    flatten = value: if isList value then concatMap flatten value else [ value ];
    range =
      first: last: if first > last then [ ] else builtins.genList (n: first + n) (last - first + 1);
    optional = condition: value: if condition then [ value ] else [ ];
    optionals = condition: value: if condition then value else [ ];
    optionalAttrs = condition: value: if condition then value else { };
    optionalString = condition: value: if condition then value else "";
    toList = value: if isList value then value else [ value ];
    last = list: elemAt list (length list - 1);
    hasPrefix = prefix: text: substring 0 (stringLength prefix) text == prefix;
    hasSuffix =
      suffix: text:
      stringLength text >= stringLength suffix
      && substring (stringLength text - stringLength suffix) (-1) text == suffix;
    removeSuffix =
      suffix: text:
      if hasSuffix suffix text then substring 0 (stringLength text - stringLength suffix) text else text;
    removePrefix =
      prefix: text: if hasPrefix prefix text then substring (stringLength prefix) (-1) text else text;
    importJSON = path: fromJSON (builtins.readFile path);
    importTOML = path: builtins.fromTOML (builtins.readFile path);

    # Properties of a definition; merge.nix gives them their meaning.
    mkIf = condition: content: {
      _type = "if";
      inherit condition content;
    };
    mkMerge = contents: {
      _type = "merge";
      inherit contents;
    };
    mkOverride = priority: content: {
      _type = "override";
      inherit priority content;
    };
    mkForce = mkOverride 50;
    mkVMOverride = mkOverride 10;
    mkDefault = mkOverride 1000;
    mkOptionDefault = mkOverride 1500;
    mkOrder = priority: content: {
      _type = "order";
      inherit priority content;
    };
    mkBefore = mkOrder 500;
    mkAfter = mkOrder 1500;
  };
  unknown = [
    "assertMsg"
    "attrByPath"
    "attrsets"
    "cartesianProduct"
    "cli"
    "escapeShellArg"
    "escapeShellArgs"
    "evalModules"
    "fileset"
    "filesystem"
    "fixedPoints"
    "foldr"
    "forEach"
    "generators"
    "getExe"
    "getExe'"
    "imap0"
    "imap1"
    "kernel"
    "licenses"
    "lists"
    "literalExpression"
    "literalMD"
    "maintainers"
    "makeBinPath"
    "meta"
    "mkAliasOptionModule"
    "mkEnableOption"
    "mkImageMediaOverride"
    "mkOption"
    "mkPackageOption"
    "mkRemovedOptionModule"
    "mkRenamedOptionModule"
    "modules"
    "network"
    "options"
    "path"
    "pipe"
    "platforms"
    "recursiveUpdate"
    "singleton"
    "sourceTypes"
    "splitString"
    "strings"
    "stringToCharacters"
    "sublist"
    "systems"
    "take"
    "throwIf"
    "throwIfNot"
    "toInt"
    "toLower"
    "toUpper"
    "trivial"
    "types"
    "unique"
    "updateManyAttrsByPath"
    "version"
    "versionAtLeast"
    "versionOlder"
    "warn"
    "warnIf"
    "zipAttrs"
    "zipLists"
  ];
in
builtins.listToAttrs (
  map (name: nameValuePair name (throw "the rehearsal does not know lib.${name}")) unknown
)
// known
