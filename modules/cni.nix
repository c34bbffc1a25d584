# CNI plugins where container runtimes and Cilium expect them.
#
# /opt/cni/bin is a real folder with links to the plugins, not a link into the
# store: Cilium's agent installs its own plugin there.
{
  config,
  lib,
  pkgs,
  ...
}:
{
  options.hardway.cni.plugins = lib.mkOption {
    type = lib.types.nullOr (lib.types.listOf lib.types.str);
    default = null;
    example = [
      "bridge"
      "host-local"
      "loopback"
      "portmap"
    ];
    description = "Plugins to link into /opt/cni/bin. `null` on a node without Pods, which gets no such folder.";
  };

  config.systemd.tmpfiles.rules = lib.mkIf (config.hardway.cni.plugins != null) (
    (import ./render).cniRules {
      inherit (config.hardway.cni) plugins;
      directory = "${pkgs.cni-plugins}/bin";
    }
  );
}
