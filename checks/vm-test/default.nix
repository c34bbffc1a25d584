# Three machines from our own modules, a control plane and two workers, in NixOS'
# test driver: both workers become Ready. Linux with KVM:
#
#     nix build .#vm-test
#
# The cluster is cluster.json's; hosts/ is what `hardway generate` makes of it.
{ hardway, pkgs }:
let
  nodes = import ./hosts;

  # Private keys in the Nix store, which everyone can read: a test's, whose machines
  # live for minutes and see no network. A cluster's never go there.
  pki = pkgs.runCommand "vm-test-pki" { nativeBuildInputs = [ hardway ]; } ''
    cp ${./cluster.json} cluster.json
    hardway --dir . generate
    cp --recursive --no-preserve=mode .hardway/pki "$out"
  '';

  machine =
    _: node:
    { config, lib, ... }:
    {
      # No ../../modules/qemu-guest.nix: disk, firmware and console are the driver's.
      imports = [
        ../../modules/components.nix
        node.module
      ];

      # In place of the installer's second tarball.
      systemd.tmpfiles.rules = lib.mapAttrsToList (
        file: _: "C ${config.hardway.pki.directory}/${file} - - - - ${pki}/${file}"
      ) config.hardway.pki.files;

      # The segment is the driver's network; the driver names its interface.
      virtualisation.vlans = lib.mkForce [ ];
      virtualisation.interfaces.segment0 = {
        vlan = 1;
        assignIP = false;
      };
      virtualisation = {
        cores = 2;
        diskSize = 4096;
        memorySize = 2048;
      };
      environment.systemPackages = [ pkgs.kubectl ];
      # Nor is there the NIC to a host, on which sshd would listen.
      hardway.ssh.enable = lib.mkForce false;
      # The driver gives the machines the host's clock, and no network to ask.
      services.timesyncd.enable = lib.mkForce false;
    };
in
{
  name = "hardway";
  nodes = builtins.mapAttrs machine nodes;
  testScript =
    { nodes, ... }:
    let
      kubeconfig = name: nodes.${name}.hardway.components.kubelet.flags.kubeconfig;
    in
    ''
      start_all()
      alpha.wait_for_unit("kube-apiserver.service")
      for worker in [sigma, gamma]:
          worker.wait_for_unit("kubelet.service")
          kubeconfig = {"gamma": "${kubeconfig "gamma"}", "sigma": "${kubeconfig "sigma"}"}[worker.name]
          # A node's own identity may read that node, and no other.
          worker.wait_until_succeeds(
              f"kubectl --kubeconfig {kubeconfig} wait --for=condition=Ready node/{worker.name} --timeout=5s"
          )
    '';
}
