# TOML 1.0, as containerd reads it: a header for each nested table, keys sorted.
{ text }:
let
  isTable = builtins.isAttrs;

  # A table's own values first: after the header of a nested table, TOML would take
  # them for that table's. A table that only holds tables needs no header.
  table =
    path: value:
    let
      keys = builtins.attrNames value;
      own = builtins.filter (key: !isTable value.${key}) keys;
      nested = builtins.filter (key: isTable value.${key}) keys;
      header =
        if path == [ ] || (own == [ ] && nested != [ ]) then
          [ ]
        else
          [ "[${builtins.concatStringsSep "." (map name path)}]" ];
      body = header ++ map (key: "${name key} = ${inline value.${key}}") own;
      sections = map (key: table (path ++ [ key ]) value.${key}) nested;
    in
    (if body == [ ] then [ ] else [ (text.lines body) ]) ++ builtins.concatLists sections;

  inline =
    value:
    if builtins.isString value then
      text.quoted value
    else if builtins.isFloat value then
      text.float value
    else if builtins.isBool value || builtins.isInt value then
      builtins.toJSON value
    else if builtins.isList value then
      "[${builtins.concatStringsSep ", " (map inline value)}]"
    else if isTable value then
      "{${
        builtins.concatStringsSep ", " (
          map (key: "${name key} = ${inline value.${key}}") (builtins.attrNames value)
        )
      }}"
    else
      text.unsupported "toml" value;

  # containerd's own documents write 'io.containerd.cri.v1.runtime' between single quotes.
  name =
    key:
    if builtins.match "[A-Za-z0-9_-]+" key != null then
      key
    else if builtins.match "[A-Za-z0-9_./ :@-]+" key != null then
      "'${key}'"
    else
      text.quoted key;
in
value:
if isTable value then
  builtins.concatStringsSep "\n\n" (table [ ] value) + "\n"
else
  text.unsupported "toml (at the top, where only a table can stand)" value
