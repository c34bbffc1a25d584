# Text as systemd reads it: escaped command lines, and unit files.
{ flags, text }:
let
  renderFlags = flags;
  escapeSpecifiers = builtins.replaceStrings [ "%" ] [ "%%" ];

  # systemd splits at blanks, takes quotes and backslashes away, expands % and $,
  # and skips a continued line that begins with # or ;.
  word =
    value:
    let
      escaped = builtins.replaceStrings [ "%" "$" ] [ "%%" "$$" ] value;
      slashed =
        builtins.replaceStrings [ "\\" "\"" "\n" "\t" "\r" ] [ "\\\\" "\\\"" "\\n" "\\t" "\\r" ]
          escaped;
      safe =
        builtins.stringLength value < 1000
        && builtins.match "[A-Za-z0-9_./:=,@%$+^~*?!{}()<>|&-]+" value != null;
    in
    if safe then escaped else "\"${slashed}\"";

  # A program and its words, one a line.
  execLine = words: builtins.concatStringsSep " \\\n  " (map word words);

  option =
    value: if builtins.isBool value then (if value then "true" else "false") else toString value;
  section =
    settings:
    builtins.concatMap (
      name:
      let
        value = settings.${name};
      in
      map (one: "${name}=${option one}") (if builtins.isList value then value else [ value ])
    ) (builtins.attrNames settings);
  words = name: list: if list == [ ] then { } else { ${name} = builtins.concatStringsSep " " list; };
in
{
  inherit execLine escapeSpecifiers;

  execStart =
    {
      program,
      arguments ? [ ],
      flags ? { },
    }:
    execLine ([ program ] ++ arguments ++ renderFlags flags);

  # The same text as NixOS' own serviceToUnit for what service.nix, pki.nix and images.nix give.
  unitText =
    {
      description,
      after ? [ ],
      before ? [ ],
      requires ? [ ],
      wantedBy ? [ ],
      environment ? { },
      reloadIfChanged ? false,
      stopIfChanged ? true,
      serviceConfig,
      unitConfig ? { },
    }:
    text.lines (
      [ "[Unit]" ]
      ++ section (
        unitConfig
        // {
          Description = description;
        }
        // words "After" after
        // words "Before" before
        // words "Requires" requires
      )
      ++ [
        ""
        "[Service]"
      ]
      ++ map (name: "Environment=${builtins.toJSON "${name}=${environment.${name}}"}") (
        builtins.attrNames environment
      )
      ++ (if reloadIfChanged then [ "X-ReloadIfChanged=true" ] else [ ])
      ++ (if stopIfChanged then [ ] else [ "X-StopIfChanged=false" ])
      ++ section serviceConfig
      ++ (
        if wantedBy == [ ] then
          [ ]
        else
          [
            ""
            "[Install]"
            "WantedBy=${builtins.concatStringsSep " " wantedBy}"
          ]
      )
    )
    + "\n";
}
