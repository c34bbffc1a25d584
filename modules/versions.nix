# hardway.versions: the releases whose flags the components are given, and an
# assertion that the packages are of them. A flag that a release doesn't know
# keeps its program from starting, which would show on the machine only.
#
# Kubernetes drops flags in minor releases, so another one is refused. The few that
# etcd and containerd are given stay within a major release: a newer minor one, as a
# later nixpkgs may have, is warned of, and an older one refused.
{ config, lib, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.hardway;
  node = if cfg.node.name != null then cfg.node.name else config.networking.hostName;

  # The program that a component runs -> whose release it is of.
  release =
    command:
    {
      containerd = "containerd";
      etcd = "etcd";
    }
    .${command} or (if lib.hasPrefix "kube" command then "kubernetes" else null);

  # "1.36.3" -> "1.36"; null where there is no minor number to compare.
  minor =
    version:
    let
      found = builtins.match "v?([0-9]+\\.[0-9]+)([.+-].*)?" version;
    in
    if found == null then null else lib.head found;

  isNewerMinor =
    wanted: found:
    lib.versions.major found == lib.versions.major wanted && lib.versionOlder wanted found;

  # A component's package beside the release that its flags are of; `verdict` is good,
  # newer (warned of) or other (refused).
  forComponent =
    name: component:
    let
      of = release component.command;
      wanted = if of == null then null else cfg.versions.${of};
      found = minor (component.package.version or "");
      isNewer = wanted != null && found != null && of != "kubernetes" && isNewerMinor wanted found;
    in
    {
      verdict =
        if wanted == null || found == null || found == wanted then
          "good"
        else if isNewer then
          "newer"
        else
          "other";
      message =
        "${node}: hardway.components.${name}.package is ${of} ${toString found}, but its flags are those of ${of} ${toString wanted} (hardway.versions.${of}). "
        + (
          if of == "kubernetes" then
            "Set kubernetesVersion in cluster.json to ${toString found} and run `hardway generate`, or hardway.components.${name}.package to a package of ${of} ${toString wanted}."
          else if isNewer then
            "${of} keeps its flags within a major release, so it should work. To check, run `hardway lint --against DIR`, where DIR is the package's bin folder; to accept it, set hardway.versions.${of} = lib.mkForce \"${found}\" in a module of your own."
          else
            "Set hardway.components.${name}.package to ${of} ${toString wanted}, or to a newer ${lib.versions.major wanted}.x."
        );
    };

  compared = lib.mapAttrsToList forComponent (
    lib.filterAttrs (_: component: component.enable) cfg.components
  );

  version =
    of:
    mkOption {
      type = types.nullOr (types.strMatching "[0-9]+\\.[0-9]+");
      default = null;
      example = "1.36";
      description = "The major.minor of ${of} whose flags this node's components have. `null`: any will do.";
    };
in
{
  options.hardway.versions = {
    containerd = version "containerd";
    etcd = version "etcd";
    kubernetes = version "Kubernetes";
  };

  config = {
    assertions = map (found: {
      assertion = found.verdict != "other";
      inherit (found) message;
    }) compared;
    warnings = map (found: found.message) (lib.filter (found: found.verdict == "newer") compared);
  };
}
