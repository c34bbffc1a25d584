# The machine is the node that its certificates and its peers know.
{ config, lib, ... }:
let
  cfg = config.hardway;
  inherit (import ./common.nix { inherit config lib; }) components node;
  kubelet = components.kubelet or null;

  networksOf =
    interface:
    lib.filter (network: network.matchConfig.Name or null == interface) (
      lib.attrValues config.systemd.network.networks
    );
  # Which address a DHCP server gives is in no option: in user mode QEMU's gives the node's.
  fromDHCP =
    interface:
    lib.any (
      network:
      lib.elem (network.networkConfig.DHCP or null) [
        true
        "yes"
        "ipv4"
      ]
    ) (networksOf interface);

  # The addresses that the machine's own network configuration gives to an interface.
  addresses =
    interface:
    lib.concatMap (network: network.address) (networksOf interface)
    ++ map (one: "${one.address}/${toString one.prefixLength}") (
      config.networking.interfaces.${interface}.ipv4.addresses or [ ]
    );
in
{
  assertions = [
    {
      assertion = cfg.node.name != null -> cfg.node.name == config.networking.hostName;
      message = "${node}: networking.hostName is ${config.networking.hostName}, but hardway.node.name, which the certificates carry, is ${toString cfg.node.name}.";
    }
    {
      assertion = cfg.node.interface != null -> cfg.node.address != null;
      message = "${node}: hardway.node.address is not set, but hardway.node.interface is ${toString cfg.node.interface}: the other nodes would not know where to reach it.";
    }
    {
      assertion =
        cfg.node.interface != null && cfg.node.address != null
        ->
          fromDHCP cfg.node.interface
          || lib.any (lib.hasPrefix "${cfg.node.address}/") (addresses cfg.node.interface);
      message = "${node}: hardway.node.address is ${toString cfg.node.address}, but no systemd.network.networks entry gives it to ${toString cfg.node.interface} (hardway.node.interface).";
    }
    {
      assertion =
        kubelet != null && (config.swapDevices != [ ] || config.zramSwap.enable)
        -> !(kubelet.flags.fail-swap-on or kubelet.config.failSwapOn or true);
      message = "${node}: ${
        if config.zramSwap.enable then "zramSwap.enable is true" else "swapDevices is not empty"
      }, and a kubelet refuses to start on a machine that swaps. Switch it off, or set hardway.components.kubelet.config.failSwapOn = false.";
    }
    {
      assertion = cfg.images != [ ] -> components ? containerd;
      message = "${node}: hardway.images is not empty, but there is no hardway.components.containerd to put them into.";
    }
  ];
}
