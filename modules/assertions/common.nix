# What the files beside this one share: the node's name for messages, its components,
# and every value in them with the option that holds it.
{ config, lib }:
let
  cfg = config.hardway;

  # Every leaf of a value: { option, name (its own), value }. Items of a list have the list's name.
  leaves =
    option: name: value:
    if lib.isList value then
      lib.concatMap (leaves option name) value
    else if lib.isAttrs value then
      lib.concatLists (lib.mapAttrsToList (key: leaves "${option}.${key}" key) value)
    else
      [ { inherit option name value; } ];
in
{
  inherit leaves;
  node = if cfg.node.name != null then cfg.node.name else config.networking.hostName;
  components = lib.filterAttrs (_: component: component.enable) cfg.components;

  leavesOf =
    name: component:
    let
      at = "hardway.components.${name}";
    in
    lib.concatMap (option: leaves "${at}.${option}" option component.${option}) [
      "flags"
      "environment"
      "config"
    ];

  # [ MESSAGE ] -> assertions that fail. Only what is wrong becomes one, so that what
  # is compared with each other need not be written down twice.
  failing = map (message: {
    assertion = false;
    inherit message;
  });
}
