# The packages that a configuration can name: those that the medium holds under a
# path of their own, and Debian's, whose programs are all below /usr.
{ medium }:
let
  debian = [
    "bash"
    "conntrack-tools"
    "coreutils"
    "curl"
    "dbus"
    "ethtool"
    "findutils"
    "gnugrep"
    "gnused"
    "iproute2"
    "iptables"
    "kmod"
    "nftables"
    "procps"
    "qemu_kvm"
    "runc"
    "socat"
    "systemd"
    "util-linux"
  ];
  paths =
    builtins.listToAttrs (
      map (name: {
        inherit name;
        value = "/usr";
      }) debian
    )
    // {
      cni-plugins = "/usr/lib/cni";
    }
    // medium.packages;
  names = toString (builtins.attrNames paths);
in
{
  pkgs = builtins.mapAttrs (name: outPath: {
    type = "derivation";
    inherit name outPath;
  }) paths;

  # OPTION's package, a name or a package of pkgs -> its path.
  pathOf =
    option: package:
    if builtins.isAttrs package && package ? outPath then
      "${package}"
    else
      paths.${package}
        or (throw "rehearsal: ${option} names the package ${package}, which the medium does not hold (it holds: ${names})");

  # Whether nixos-install must copy it: Debian's are in every node's root.
  isOnMedium = path: builtins.elem path (builtins.attrValues medium.packages);

  # [ PATH ] -> the value of a unit's PATH, what every unit of NixOS has included.
  searchPath =
    list:
    let
      folders = path: if path == "/usr" then [ ] else [ "${path}/bin" ];
      debianFolders = [
        "/usr/bin"
        "/usr/sbin"
      ];
    in
    builtins.concatStringsSep ":" (builtins.concatMap folders list ++ debianFolders);
}
