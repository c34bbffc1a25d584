# What must hold before a node is built. Each message names the node and the option.
{ config, lib, ... }:
let
  cfg = config.hardway;
  node = if cfg.node.name != null then cfg.node.name else config.networking.hostName;
  components = lib.filterAttrs (_: component: component.enable) cfg.components;

  # Every string in a component's flags, environment and configuration file, with
  # the option that holds it.
  strings =
    option: value:
    if lib.isString value then
      [ { inherit option value; } ]
    else if lib.isList value then
      lib.concatMap (strings option) value
    else if lib.isAttrs value then
      lib.concatLists (lib.mapAttrsToList (key: strings "${option}.${key}") value)
    else
      [ ];
  stringsOf =
    name: component:
    let
      at = "hardway.components.${name}";
    in
    strings "${at}.flags" component.flags
    ++ strings "${at}.environment" component.environment
    ++ strings "${at}.config" component.config;

  # The names of the files below hardway.pki.directory that a component reads.
  below = "${cfg.pki.directory}/";
  reads =
    name: component: lib.filter (found: lib.hasPrefix below found.value) (stringsOf name component);

  inStore = lib.hasPrefix "${builtins.storeDir}/";
  isSecret = value: !render.pki.isPublic value && lib.any (end: lib.hasSuffix end value) secretEnds;
  secretEnds = [
    "-key.pem"
    ".key"
    ".kubeconfig"
    "encryption-config.yaml"
  ];
  render = import ./render;

  forString =
    found:
    let
      inherit (found) option value;
    in
    {
      assertion = !(inStore value && isSecret value);
      message = "${node}: ${option} is ${value}, a secret in the Nix store, which everyone can read. Put the file into ${cfg.pki.directory} on the machine and give its path as a string.";
    };

  forFile =
    name: component: found:
    let
      inherit (found) option value;
      file = lib.removePrefix below value;
      known = cfg.pki.files ? ${file};
      owner = cfg.pki.files.${file}.user;
      open = lib.elem (lib.last (lib.stringToCharacters cfg.pki.files.${file}.mode)) [
        "4"
        "5"
        "6"
        "7"
      ];
    in
    [
      {
        assertion = known;
        message = "${node}: ${option} is ${value}, but hardway.pki.files has no \"${file}\": nobody would see to it that the file is there.";
      }
      {
        assertion = known -> open || component.user == "root" || component.user == owner;
        message = "${node}: ${option} is ${value}, which only ${owner} can read (hardway.pki.files.\"${file}\".user), while hardway.components.${name}.user is ${component.user}.";
      }
    ];

  # The addresses that the machine's own network configuration gives to an interface.
  addresses =
    interface:
    lib.concatMap (network: network.address) (
      lib.filter (network: network.matchConfig.Name or null == interface) (
        lib.attrValues config.systemd.network.networks
      )
    )
    ++ map (one: "${one.address}/${toString one.prefixLength}") (
      config.networking.interfaces.${interface}.ipv4.addresses or [ ]
    );
in
{
  assertions =
    lib.concatLists (
      lib.mapAttrsToList (name: component: map forString (stringsOf name component)) components
    )
    ++ lib.concatLists (
      lib.mapAttrsToList (
        name: component: lib.concatMap (forFile name component) (reads name component)
      ) components
    )
    ++ [
      {
        assertion = !inStore below;
        message = "${node}: hardway.pki.directory is ${cfg.pki.directory}, in the Nix store, which everyone can read.";
      }
      {
        assertion = cfg.node.name != null -> cfg.node.name == config.networking.hostName;
        message = "${node}: networking.hostName is ${config.networking.hostName}, but hardway.node.name, which the certificates carry, is ${toString cfg.node.name}.";
      }
      {
        assertion =
          cfg.node.interface != null && cfg.node.address != null
          -> lib.any (lib.hasPrefix "${cfg.node.address}/") (addresses cfg.node.interface);
        message = "${node}: hardway.node.address is ${toString cfg.node.address}, but no systemd.network.networks entry gives it to ${toString cfg.node.interface} (hardway.node.interface).";
      }
    ];
}
