# JSON, two spaces a level, keys sorted.
{ text }:
let
  # A value as lines; the first belongs after the key, the rest are indented by the caller.
  render =
    value:
    if builtins.isAttrs value then
      block "{" "}" (
        map (key: prefixed "${text.quoted key}: " (render value.${key})) (builtins.attrNames value)
      )
    else if builtins.isList value then
      block "[" "]" (map render value)
    else if builtins.isString value then
      [ (text.quoted value) ]
    else if builtins.isFloat value then
      [ (text.float value) ]
    else if value == null || builtins.isBool value || builtins.isInt value then
      [ (builtins.toJSON value) ]
    else
      text.unsupported "json" value;

  prefixed = prefix: lines: [ "${prefix}${builtins.head lines}" ] ++ builtins.tail lines;

  block =
    open: close: items:
    if items == [ ] then
      [ "${open}${close}" ]
    else
      [ open ] ++ text.indent (separated items) ++ [ close ];

  # A comma after the last line of every item but the last.
  separated =
    items:
    let
      count = builtins.length items;
      withComma = lines: appended lines ",";
      appended =
        lines: end:
        let
          last = builtins.length lines - 1;
        in
        builtins.genList (n: builtins.elemAt lines n + (if n == last then end else "")) (last + 1);
    in
    builtins.concatLists (
      builtins.genList (
        n:
        let
          item = builtins.elemAt items n;
        in
        if n == count - 1 then item else withComma item
      ) count
    );
in
value: text.lines (render value) + "\n"
