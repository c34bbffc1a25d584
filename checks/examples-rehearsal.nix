# A nixpkgs for examples.nix where there is none: the rehearsal's lib and merge, and
# besides the options that it knows those of a real machine, as they come.
let
  eval = ../rehearsal/eval;
  lib = import (eval + "/lib.nix");
  inherit (import (eval + "/types.nix"))
    attrsOf
    listOf
    set
    value
    ;
  known = import (eval + "/options.nix") { render = import ../modules/render; };
  merged = name: fields: set (known.fields.${name}.fields // fields);
  options = set (
    known.fields
    // {
      boot = merged "boot" { loader = attrsOf value; };
      fileSystems = attrsOf value;
      services = merged "services" { openssh = attrsOf value; };
      swapDevices = listOf value;
    }
  );
  # Real NixOS modules: the rehearsal knows their options instead.
  own = map toString [
    ../modules
    ../modules/components.nix
  ];
in
{
  lib = lib // {
    nixosSystem =
      { modules }:
      {
        config = import (eval + "/merge.nix") {
          inherit lib options;
          pkgs = throw "the examples take no package";
          specialArgs = { };
          modules = builtins.filter (
            module:
            builtins.isAttrs module || builtins.isFunction module || !builtins.elem (toString module) own
          ) modules;
        };
      };
  };
}
