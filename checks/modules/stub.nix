# modules/ under the real module system of nixpkgs' lib, with so little of NixOS
# around it that a node takes a second, not a minute: of NixOS' options only those
# that the modules read are declared, as bare values; any other is taken as it comes.
{ lib }:
let
  names = [
    "cni-plugins"
    "conntrack-tools"
    "containerd"
    "coreutils"
    "etcd"
    "ethtool"
    "iproute2"
    "iptables"
    "kmod"
    "kubernetes"
    "nftables"
    "runc"
    "socat"
    "util-linux"
  ];
  package = name: {
    type = "derivation";
    inherit name;
    outPath = "/pkg/${name}";
  };
  pkgs = lib.genAttrs names package // {
    qemu_kvm = package "qemu" // {
      outputs = [ "out" ];
    };
    stdenv.hostPlatform.isAarch64 = false;
    writeText = name: _: "/pkg/${name}";
  };

  anything =
    default:
    lib.mkOption {
      type = lib.types.anything;
      inherit default;
    };
  nixos = {
    freeformType = lib.types.lazyAttrsOf lib.types.anything;
    options = {
      assertions = lib.mkOption { type = lib.types.listOf lib.types.unspecified; };
      boot.loader.grub = lib.genAttrs [ "efiInstallAsRemovable" "efiSupport" "enable" ] (
        _: anything false
      );
      environment.etc = lib.mkOption {
        default = { };
        type = lib.types.attrsOf (
          lib.types.submodule (
            { name, ... }:
            {
              options.text = anything null;
              options.source = anything "/source/${name}";
            }
          )
        );
      };
      networking.hostName = anything "sigma";
      networking.interfaces = anything { };
      swapDevices = anything [ ];
      systemd.network.networks = lib.mkOption {
        default = { };
        type = lib.types.attrsOf (
          lib.types.submodule {
            freeformType = lib.types.lazyAttrsOf lib.types.anything;
            options.address = anything [ ];
            options.matchConfig = anything { };
          }
        );
      };
      systemd.services = anything { };
      systemd.tmpfiles.rules = anything [ ];
      users.groups = anything { };
      users.users = anything { };
      zramSwap.enable = anything false;
    };
  };
in
rec {
  inherit pkgs;
  # The modules' profile of a QEMU guest is nixpkgs' own: an empty one stands in.
  evaluate =
    modules:
    lib.evalModules {
      specialArgs = {
        inherit pkgs;
        modulesPath = toString ./.;
      };
      modules = [ nixos ] ++ modules;
    };
  configOf = modules: (evaluate ([ ../../modules/components.nix ] ++ modules)).config;
  complaintsOf =
    modules: map (one: one.message) (lib.filter (one: !one.assertion) (configOf modules).assertions);
}
