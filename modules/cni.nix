# The network of Pods, as container runtimes and Cilium expect it: plugins in
# /opt/cni/bin, configuration in /etc/cni/net.d.
#
# /opt/cni/bin is a real folder with links to the plugins, not a link into the
# store: Cilium's agent installs its own plugin there.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  cfg = config.hardway.cni;
  render = import ./render;
in
{
  options.hardway.cni = {
    plugins = mkOption {
      type = types.nullOr (types.listOf types.str);
      default = null;
      example = [
        "bridge"
        "host-local"
        "loopback"
        "portmap"
      ];
      description = "Plugins to link into /opt/cni/bin. `null` on a node without Pods, which gets no such folder.";
    };
    config = mkOption {
      type = types.nullOr (types.attrsOf (import ./value-type.nix { inherit lib; }));
      default = null;
      example = {
        cniVersion = "1.0.0";
        name = "bridge";
        plugins = [
          {
            type = "bridge";
            bridge = "cni0";
            isDefaultGateway = true;
            ipam = {
              type = "host-local";
              ranges = [ [ { subnet = "10.200.21.0/24"; } ] ];
            };
          }
        ];
      };
      description = ''
        What each Pod's network is made of: the CNI configuration list, written as JSON to
        /etc/cni/net.d/10-`name`.conflist. `null` where a network add-on (Cilium) writes its own.
      '';
    };
  };

  config = {
    environment.etc = lib.mapAttrs (_: text: { inherit text; }) (render.cniEtc cfg.config);
    systemd.tmpfiles.rules = lib.mkIf (cfg.plugins != null) (
      render.cniRules {
        inherit (cfg) plugins;
        directory = "${pkgs.cni-plugins}/bin";
      }
    );
  };
}
