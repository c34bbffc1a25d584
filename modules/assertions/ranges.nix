# Machines, Pods and Services have addresses of their own: where two ranges overlap,
# packets for one end at the other, and nothing says why.
#
# The data are the node's own flags and addresses, whatever made them.
{ config, lib, ... }:
let
  cfg = config.hardway;
  inherit (import ./common.nix { inherit config lib; })
    components
    failing
    leaves
    leavesOf
    node
    ;
  inherit ((import ../render).ipv4) overlap parse;

  # [ { kind, option, value, first, last } ]; what is no IPv4 range is left to its program.
  rangesOf =
    kind:
    lib.concatMap (
      one:
      let
        range = if lib.isString one.value then parse one.value else null;
      in
      lib.optional (range != null) (
        range
        // {
          inherit kind;
          inherit (one) option value;
        }
      )
    );
  named = names: lib.filter (one: lib.elem one.name names);
  everything = lib.concatLists (lib.mapAttrsToList leavesOf components);

  ranges =
    rangesOf "Services" (named [ "service-cluster-ip-range" ] everything)
    ++ rangesOf "Pods" (
      named [ "cluster-cidr" "clusterCIDR" "podCIDR" ] everything
      ++ leaves "hardway.node.podCIDR" "podCIDR" cfg.node.podCIDR
      ++ named [ "subnet" ] (leaves "hardway.cni.config" "config" cfg.cni.config)
    )
    ++ rangesOf "machines" (
      lib.concatLists (
        lib.mapAttrsToList (
          name: network: leaves "systemd.network.networks.\"${name}\".address" "address" network.address
        ) config.systemd.network.networks
      )
    );
  clashes = lib.concatLists (
    lib.imap0 (
      n: a:
      lib.filter (pair: pair.a.kind != pair.b.kind && overlap pair.a pair.b) (
        map (b: { inherit a b; }) (lib.drop (n + 1) ranges)
      )
    ) ranges
  );
in
{
  assertions = failing (
    map (
      { a, b }:
      "${node}: ${a.option} is ${a.value}, for ${a.kind}, and overlaps ${b.option}, ${b.value}, for ${b.kind}; each needs a range of its own."
    ) clashes
  );
}
