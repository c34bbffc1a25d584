# Keys and certificates: where they are, that they come, and that their readers can read them.
{ config, lib, ... }:
let
  cfg = config.hardway;
  inherit (import ./common.nix { inherit config lib; }) components leavesOf node;
  render = import ../render;

  below = "${cfg.pki.directory}/";
  strings = name: component: lib.filter (one: lib.isString one.value) (leavesOf name component);
  # The files below hardway.pki.directory that a component reads.
  reads = name: component: lib.filter (one: lib.hasPrefix below one.value) (strings name component);

  inStore = lib.hasPrefix "${builtins.storeDir}/";
  isSecret = value: !render.pki.isPublic value && lib.any (end: lib.hasSuffix end value) secretEnds;
  secretEnds = [
    "-key.pem"
    ".key"
    ".kubeconfig"
    "encryption-config.yaml"
  ];

  forString =
    { option, value, ... }:
    {
      assertion = !(inStore value && isSecret value);
      message = "${node}: ${option} is ${value}, a secret in the Nix store, which everyone can read. Put the file into ${cfg.pki.directory} on the machine and give its path as a string.";
    };

  forFile =
    name: component:
    { option, value, ... }:
    let
      file = lib.removePrefix below value;
      known = cfg.pki.files ? ${file};
      owner = cfg.pki.files.${file}.user;
      open = lib.elem (lib.last (lib.stringToCharacters cfg.pki.files.${file}.mode)) [
        "4"
        "5"
        "6"
        "7"
      ];
      # An authority's certificate is for checking others; any other is one's own.
      own = lib.hasSuffix ".pem" file && render.pki.isPublic file && !lib.hasSuffix "ca.pem" file;
      # `ca-signing.pem` is the one certificate of ca.pem that goes with ca-key.pem.
      key = "${lib.removeSuffix "-signing" (lib.removeSuffix ".pem" value)}-key.pem";
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
      {
        assertion = own -> lib.any (one: one.value == key) (reads name component);
        message = "${node}: ${option} is ${value}, but no flag or setting of hardway.components.${name} is its key, ${key}: a certificate without its key proves nothing.";
      }
    ];

  # A path that hardway.ssh names.
  forSsh =
    name:
    let
      option = "hardway.ssh.${name}";
      value = cfg.ssh.${name};
      file = lib.removePrefix below value;
    in
    [
      {
        assertion = lib.hasPrefix below value -> cfg.pki.files ? ${file};
        message = "${node}: ${option} is ${value}, but hardway.pki.files has no \"${file}\": nobody would see to it that the file is there.";
      }
      {
        assertion = !inStore value;
        message = "${node}: ${option} is ${value}, in the Nix store, which everyone can read. Put the file into ${cfg.pki.directory} on the machine and give its path as a string.";
      }
    ];

  of = each: lib.concatLists (lib.mapAttrsToList each components);
in
{
  assertions =
    of (name: component: map forString (strings name component))
    ++ of (name: component: lib.concatMap (forFile name component) (reads name component))
    ++ lib.optionals cfg.ssh.enable (
      lib.concatMap forSsh [
        "authorizedKeys"
        "hostKey"
      ]
    )
    ++ [
      {
        assertion = !inStore below;
        message = "${node}: hardway.pki.directory is ${cfg.pki.directory}, in the Nix store, which everyone can read.";
      }
    ];
}
