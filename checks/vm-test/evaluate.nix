# The machines of the VM test as NixOS' test driver configures them, with packages
# that are only named: what can be told of the test where no machine can run.
{ names, nixpkgs }:
let
  lib = import (nixpkgs + "/lib");
  pkgs = import ../expected/packages.nix {
    inherit lib names nixpkgs;
    system = "x86_64-linux";
  };
  inherit
    (((import (nixpkgs + "/nixos/lib/testing") { inherit lib; }).evalTest {
      imports = [
        (import ./. {
          hardway = pkgs.hello;
          inherit pkgs;
        })
      ];
      hostPkgs = pkgs;
      node.pkgs = pkgs;
      # The packages of nixpkgs proper say how they were configured; these can't.
      node.pkgsReadOnly = false;
    }).config
    )
    nodes
    testScriptString
    ;
in
{
  script = testScriptString;
  nodes = lib.mapAttrs (_: config: {
    failed = map (one: one.message) (lib.filter (one: !one.assertion) config.assertions);
    inherit (config) warnings;
    copied = lib.filter (lib.hasInfix "/pkg/vm-test-pki/") config.systemd.tmpfiles.rules;
    addresses = lib.concatMap (network: network.address) (
      lib.attrValues config.systemd.network.networks
    );
    interface = config.boot.initrd.services.udev.rules;
    units = lib.mapAttrs (_: unit: unit.text) (
      lib.filterAttrs (_: unit: unit.enable) config.systemd.units
    );
  }) nodes;
}
