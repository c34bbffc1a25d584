# docs/options.md, from the options that modules/ declares. Needs nixpkgs' lib alone;
# the hash of modules/, by which a stale document shows where no nixpkgs is, not even that.
let
  modules = ../modules;

  files =
    folder: prefix:
    builtins.concatMap (
      name:
      let
        kind = (builtins.readDir folder).${name};
        path = folder + "/${name}";
      in
      if kind == "directory" then
        files path "${prefix}${name}/"
      else
        [ "${prefix}${name} ${builtins.hashFile "sha256" path}" ]
    ) (builtins.attrNames (builtins.readDir folder));
  hash = builtins.hashString "sha256" (builtins.concatStringsSep "\n" (files modules ""));
in
{
  inherit hash;

  text =
    { lib }:
    let
      stub = import ./modules/stub.nix { inherit lib; };
      inherit (stub.evaluate [ (modules + "/components.nix") ]) options;
      documented = lib.filter (option: option.visible && !option.internal) (
        lib.optionAttrSetToDocList { inherit (options) hardway; }
      );

      # A value, or a text in its stead, as Markdown after `label`.
      shown =
        label: value:
        let
          text = lib.removeSuffix "\n" value.text;
          lines = lib.splitString "\n" text;
        in
        if value._type == "literalMD" then
          [ "${label}: ${text}" ]
        else if lib.length lines == 1 then
          [ "${label}: `${text}`" ]
        else
          [
            "${label}:"
            ""
            "```nix"
          ]
          ++ lines
          ++ [ "```" ];
      field =
        label: option: name:
        lib.optionals (option ? ${name}) ([ "" ] ++ shown label option.${name});
      section =
        option:
        [
          "## `${option.name}`"
          ""
          (lib.removeSuffix "\n" option.description)
          ""
          "Type: ${option.type}"
        ]
        ++ field "Default" option "default"
        ++ field "Example" option "example"
        ++ [ "" ];
    in
    lib.concatStringsSep "\n" (
      [
        "# Options"
        ""
        "Every option of the modules, in the order of their names. Written by `checks/options-doc` from"
        "modules/: change that, not this. Examples of their use: [examples.md](examples.md)."
        ""
      ]
      ++ lib.concatMap section (lib.sort (a: b: a.name < b.name) documented)
      ++ [ "<!-- modules/ ${hash} -->" ]
    )
    + "\n";
}
