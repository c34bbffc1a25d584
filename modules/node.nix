# Who this machine is in the cluster.
{ lib, ... }:
let
  inherit (lib) mkOption types;
  inherit ((import ./render).ipv4) parse;

  label = types.strMatching "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?" // {
    description = "DNS label";
  };
  address = types.addCheck types.str (value: parse value != null && !lib.hasInfix "/" value) // {
    description = "IPv4 address";
  };
  range = types.addCheck types.str (value: parse value != null && lib.hasInfix "/" value) // {
    description = "range of IPv4 addresses, with its prefix length";
  };
in
{
  options.hardway.node = {
    name = mkOption {
      type = types.nullOr label;
      default = null;
      example = "sigma";
      description = "The node's name: its host name, and the name in its certificates.";
    };
    role = mkOption {
      type = types.nullOr (
        types.enum [
          "control-plane"
          "worker"
        ]
      );
      default = null;
      example = "worker";
      description = "What the node is in the cluster. Only said, not acted on: `hardway.components` decides what runs.";
    };
    address = mkOption {
      type = types.nullOr address;
      default = null;
      example = "10.240.0.21";
      description = "The address at which the other nodes reach it (in Kubernetes, its InternalIP).";
    };
    interface = mkOption {
      type = types.nullOr (types.strMatching "[^/[:space:]]{1,15}");
      default = null;
      example = "segment0";
      description = "The network interface that has `address`.";
    };
    podCIDR = mkOption {
      type = types.nullOr range;
      default = null;
      example = "10.200.21.0/24";
      description = "The range from which the node's Pods get their addresses, where the plan and not Kubernetes gives it out.";
    };
  };
}
