# The worked examples of docs/examples.md, evaluated. Gives what is not as the
# document says, as { name, expected, result }; [ ] is good.
#
#   nixpkgs   what the flakes' input is: only its lib is asked, with nixosSystem
{ nixpkgs }:
let
  hardway = {
    inputs = { inherit nixpkgs; };
    apps = { };
    lib.nodes = import ../modules/nodes.nix { inherit nixpkgs; };
    nixosModules.components = ../modules/components.nix;
  };
  outputs = flake: (import flake).outputs { inherit hardway; };

  cluster = (outputs ./examples/cluster/flake.nix).nixosConfigurations;
  flag = hardway.lib.nodes { hosts = ./examples/flag/hosts.nix; };
  machine = (outputs ./examples/machine/flake.nix).nixosConfigurations.sigma;

  kubelet = node: node.config.hardway.components.kubelet;
  complaints =
    node:
    map (one: one.message) (builtins.filter (one: !one.assertion) (node.config.assertions or [ ]));
  all = builtins.concatMap complaints;

  tests = {
    cluster = {
      result = {
        complaints = all (builtins.attrValues cluster);
        hosts = builtins.mapAttrs (_: node: node.config.networking.hostName) cluster;
      };
      expected = {
        complaints = [ ];
        hosts = {
          alpha = "alpha";
          alpha-aarch64-linux = "alpha";
          alpha-x86_64-linux = "alpha";
          gamma = "gamma";
          gamma-aarch64-linux = "gamma";
          gamma-x86_64-linux = "gamma";
          sigma = "sigma";
          sigma-aarch64-linux = "sigma";
          sigma-x86_64-linux = "sigma";
        };
      };
    };
    flag = {
      result = {
        complaints = all (builtins.attrValues flag);
        v = {
          gamma = (kubelet flag.gamma).flags ? v;
          sigma = (kubelet flag.sigma).flags.v;
        };
        inherit ((kubelet flag.sigma).config) maxPods port shutdownGracePeriod;
      };
      expected = {
        complaints = [ ];
        v = {
          gamma = false;
          sigma = 4;
        };
        maxPods = 30;
        port = 10250;
        shutdownGracePeriod = "60s";
      };
    };
    machine = {
      result = {
        complaints = complaints machine;
        components = builtins.attrNames machine.config.hardway.components;
        mac = machine.config.systemd.network.links."10-segment0".matchConfig.MACAddress;
        root = machine.config.fileSystems."/".device;
        inherit ((kubelet machine).config) failSwapOn;
        # Nothing of the virtual machine's.
        grub = machine.config.boot.loader.grub.efiInstallAsRemovable or false;
      };
      expected = {
        complaints = [ ];
        components = [
          "containerd"
          "kubelet"
        ];
        mac = "02:00:5e:10:00:02";
        root = "/dev/disk/by-label/nixos";
        failSwapOn = false;
        grub = false;
      };
    };
  };
in
builtins.filter (test: test.result != test.expected) (
  map (name: tests.${name} // { inherit name; }) (builtins.attrNames tests)
)
