# hardway's own part of every node of `hosts`, as NixOS' module system makes it:
#
#     { <node>."<path below /etc>" = text; }
#
# "Own" is decided by rule: the units of hardway.components, hardway-pki and the
# services that the host module sets; the files that they or the host module name; and
# of the files that NixOS shares among all (modules, tmpfiles) the lines that a host module
# or modules/ put there. Hosts, sysctl, the firewall and the kernel's command line are whole:
# what NixOS itself adds to them decides whether ours holds.
{
  hosts,
  names,
  nixpkgs,
  system ? "x86_64-linux",
}:
let
  lib = import (nixpkgs + "/lib");
  pkgs = import ./packages.nix {
    inherit
      lib
      names
      nixpkgs
      system
      ;
  };
  render = import ../../modules/render;

  evaluate =
    modules:
    (import (nixpkgs + "/nixos/lib/eval-config.nix") {
      inherit lib modules pkgs;
      system = null;
    }).config;

  lines = list: lib.concatMapStrings (line: line + "\n") list;
  below = prefix: lib.mapAttrs' (name: lib.nameValuePair "${prefix}${name}");
  pick = lib.getAttrs;
  namesAt = path: set: lib.attrNames (lib.attrByPath path { } set);

  ownFiles =
    _: node:
    let
      host = import node.module { };
      config = evaluate (
        [
          { nixpkgs.hostPlatform = system; }
          ../../modules
          node.module
        ]
        ++ node.modules
      );
      failed = lib.filter (one: !one.assertion) config.assertions;
      components = lib.filterAttrs (_: component: component.enable) config.hardway.components;

      units = map (name: "${name}.service") (
        lib.attrNames components ++ [ "hardway-pki" ] ++ namesAt [ "systemd" "services" ] host
      );
      networkUnits =
        map (name: "${name}.link") (namesAt [ "systemd" "network" "links" ] host)
        ++ map (name: "${name}.network") (namesAt [ "systemd" "network" "networks" ] host);
      etc = lib.attrNames (render.etc components) ++ namesAt [ "environment" "etc" ] host;

      modules = lib.filter (module: lib.elem module config.boot.kernelModules) (
        host.boot.kernelModules or [ ]
      );
      inherit (config.networking.nftables) tables;
    in
    assert lib.assertMsg (failed == [ ]) (lib.concatMapStringsSep "\n" (one: one.message) failed);
    below "systemd/system/" (lib.mapAttrs (_: unit: unit.text) (pick units config.systemd.units))
    // below "systemd/network/" (
      lib.mapAttrs (_: unit: unit.text) (pick networkUnits config.systemd.network.units)
    )
    // lib.mapAttrs (_: one: one.text) (
      pick (etc ++ [ "systemd/networkd.conf" ]) config.environment.etc
    )
    // {
      hosts = config.environment.etc.hosts.source.text;
      "sysctl.d/60-nixos.conf" = config.environment.etc."sysctl.d/60-nixos.conf".text;
      "kernel-parameters" = lines config.boot.kernelParams;
      "modules-load.d/nixos.conf" = lines modules;
      "tmpfiles.d/nixos.conf" = lines (lib.filter (lib.hasInfix "/cni") config.systemd.tmpfiles.rules);
      "nftables/nixos-fw" = tables.nixos-fw.content;
    }
    // below "nftables/" (
      lib.mapAttrs (_: table: table.content) (
        pick (namesAt [ "networking" "nftables" "tables" ] host) tables
      )
    );
in
lib.mapAttrs ownFiles (import hosts)
