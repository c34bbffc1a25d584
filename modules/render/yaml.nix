# YAML in block style, two spaces a level, keys sorted; read alike by YAML 1.1 and 1.2.
{ text }:
let
  render =
    value:
    if builtins.isAttrs value && value != { } then
      builtins.concatMap (name: attribute (key name) value.${name}) (builtins.attrNames value)
    else if builtins.isList value && value != [ ] then
      builtins.concatMap item value
    else
      [ (scalar value) ];

  isBlock =
    value: (builtins.isAttrs value && value != { }) || (builtins.isList value && value != [ ]);

  # YAML ends its search for the colon after 1024 characters.
  key =
    name:
    if builtins.stringLength name < 1000 then
      string name
    else
      throw "hardway: yaml allows no key as long as ${name}";

  attribute =
    key: value:
    if isBlock value then
      [ "${key}:" ] ++ text.indent (render value)
    else
      [ "${key}: ${scalar value}" ];

  item =
    value:
    let
      lines = render value;
    in
    [ "- ${builtins.head lines}" ] ++ text.indent (builtins.tail lines);

  scalar =
    value:
    if builtins.isString value then
      string value
    else if builtins.isFloat value then
      text.float value
    else if value == null || builtins.isBool value || builtins.isInt value then
      builtins.toJSON value
    else if value == { } then
      "{}"
    else if value == [ ] then
      "[]"
    else
      text.unsupported "yaml" value;

  # Plain only where no reader of either version could take it for anything else
  # than a string: it begins with a letter or a slash, holds no sign of YAML's own
  # (a colon only inside a word), and is not a word that some version reads as a
  # boolean or null. The length keeps the matcher's recursion small.
  string = value: if isPlain value then value else text.quoted value;
  isPlain =
    value:
    builtins.stringLength value < 200
    && builtins.match "[A-Za-z/][A-Za-z0-9_./-]*(:[A-Za-z0-9_./-]+)*" value != null
    &&
      builtins.match "[yYnN]|[yY][eE][sS]|[nN][oO]|[oO][nN]|[oO][fF][fF]|[tT][rR][uU][eE]|[fF][aA][lL][sS][eE]|[nN][uU][lL][lL]" value
      == null;
in
value: text.lines (render value) + "\n"
