# One good node and, for each assertion, a bad one: the very words are compared.
{ lib, stub }:
let
  complaints =
    module:
    stub.complaintsOf [
      ./node.nix
      module
    ];

  # The good node with a good kubelet, and a module.
  kubelet = module: {
    imports = [ module ];
    hardway.components.kubelet = {
      package = "kubernetes";
      ports = [ 10250 ];
      configPath = "kubernetes/kubelet.yaml";
      config.port = 10250;
    };
  };
  guest =
    module:
    stub.complaintsOf [
      ../../modules/qemu-guest.nix
      module
    ];
in
{
  testGoodNode = {
    expr = complaints { };
    expected = [ ];
  };
  testSecretInStore = {
    expr = complaints {
      hardway.components.etcd.flags.peer-key-file = "${builtins.storeDir}/abc-peer-key.pem";
    };
    expected = [
      "sigma: hardway.components.etcd.flags.peer-key-file is ${builtins.storeDir}/abc-peer-key.pem, a secret in the Nix store, which everyone can read. Put the file into /var/lib/hardway/pki on the machine and give its path as a string."
    ];
  };
  testSshKeys = {
    expr = complaints {
      hardway.ssh = {
        enable = true;
        hostKey = "${builtins.storeDir}/abc-host-key.pem";
        authorizedKeys = "/var/lib/hardway/pki/keys";
      };
    };
    expected = [
      "sigma: hardway.ssh.authorizedKeys is /var/lib/hardway/pki/keys, but hardway.pki.files has no \"keys\": nobody would see to it that the file is there."
      "sigma: hardway.ssh.hostKey is ${builtins.storeDir}/abc-host-key.pem, in the Nix store, which everyone can read. Put the file into /var/lib/hardway/pki on the machine and give its path as a string."
    ];
  };
  testPathIsNoFlag = {
    expr =
      (builtins.tryEval
        (stub.configOf [ { hardway.components.etcd.flags.key-file = ./node.nix; } ])
        .hardway.components.etcd.flags.key-file
      ).success;
    expected = false;
  };
  testUnknownFile = {
    expr = complaints { hardway.components.etcd.flags.cert-file = "/var/lib/hardway/pki/etcd.pem"; };
    expected = [
      "sigma: hardway.components.etcd.flags.cert-file is /var/lib/hardway/pki/etcd.pem, but hardway.pki.files has no \"etcd.pem\": nobody would see to it that the file is there."
    ];
  };
  testUnreadableFile = {
    expr = complaints { hardway.pki.files."etcd-key.pem".user = lib.mkForce "kubernetes"; };
    expected = [
      "sigma: hardway.components.etcd.flags.key-file is /var/lib/hardway/pki/etcd-key.pem, which only kubernetes can read (hardway.pki.files.\"etcd-key.pem\".user), while hardway.components.etcd.user is etcd."
    ];
  };
  testDirectoryInStore = {
    expr = lib.head (complaints {
      hardway.pki.directory = "${builtins.storeDir}/abc-pki";
    });
    expected = "sigma: hardway.pki.directory is ${builtins.storeDir}/abc-pki, in the Nix store, which everyone can read.";
  };
  testOtherHostName = {
    expr = complaints { networking.hostName = "gamma"; };
    expected = [
      "sigma: networking.hostName is gamma, but hardway.node.name, which the certificates carry, is sigma."
    ];
  };
  testAddressMissing = {
    expr = complaints {
      systemd.network.networks."20-segment0".address = lib.mkForce [ "10.240.0.2/24" ];
    };
    expected = [
      "sigma: hardway.node.address is 10.240.0.21, but no systemd.network.networks entry gives it to segment0 (hardway.node.interface)."
    ];
  };
  # As in user mode: QEMU's DHCP server gives the address, which no option has.
  testAddressFromDHCP = {
    expr = map complaints [
      {
        systemd.network.networks."20-segment0" = {
          address = lib.mkForce [ ];
          networkConfig.DHCP = "ipv4";
        };
      }
      # One without IPv4, and that of another interface.
      {
        systemd.network.networks."20-segment0" = {
          address = lib.mkForce [ ];
          networkConfig.DHCP = "ipv6";
        };
        systemd.network.networks."10-uplink0" = {
          matchConfig.Name = "uplink0";
          networkConfig.DHCP = "ipv4";
        };
      }
    ];
    expected = [
      [ ]
      [
        "sigma: hardway.node.address is 10.240.0.21, but no systemd.network.networks entry gives it to segment0 (hardway.node.interface)."
      ]
    ];
  };
  testCertificateWithoutItsKey = {
    expr = complaints {
      hardway.pki.files."etcd-peer.pem".user = "etcd";
      hardway.components.etcd.flags.peer-cert-file = "/var/lib/hardway/pki/etcd-peer.pem";
    };
    expected = [
      "sigma: hardway.components.etcd.flags.peer-cert-file is /var/lib/hardway/pki/etcd-peer.pem, but no flag or setting of hardway.components.etcd is its key, /var/lib/hardway/pki/etcd-peer-key.pem: a certificate without its key proves nothing."
    ];
  };
  testCertificateWithItsKey = {
    expr = complaints {
      hardway.pki.files."etcd.pem".user = "etcd";
      hardway.components.etcd.flags.cert-file = "/var/lib/hardway/pki/etcd.pem";
    };
    expected = [ ];
  };
  testSegmentAddressMissing = {
    expr = complaints { hardway.node.address = lib.mkForce null; };
    expected = [
      "sigma: hardway.node.address is not set, but hardway.node.interface is segment0: the other nodes would not know where to reach it."
    ];
  };
  testSwapOn = {
    expr = map complaints [
      (kubelet { swapDevices = [ { device = "/dev/vdb"; } ]; })
      (kubelet { zramSwap.enable = true; })
    ];
    expected = [
      [
        "sigma: swapDevices is not empty, and a kubelet refuses to start on a machine that swaps. Switch it off, or set hardway.components.kubelet.config.failSwapOn = false."
      ]
      [
        "sigma: zramSwap.enable is true, and a kubelet refuses to start on a machine that swaps. Switch it off, or set hardway.components.kubelet.config.failSwapOn = false."
      ]
    ];
  };
  testSwapAllowed = {
    expr = map complaints [
      # Only a kubelet minds.
      { zramSwap.enable = true; }
      (kubelet {
        zramSwap.enable = true;
        hardway.components.kubelet.config.failSwapOn = false;
      })
    ];
    expected = [
      [ ]
      [ ]
    ];
  };
  testRangesOverlap = {
    expr = complaints {
      hardway.node.podCIDR = "10.200.21.0/24";
      hardway.components.etcd.flags = {
        cluster-cidr = "10.200.0.0/16";
        service-cluster-ip-range = [ "10.200.128.0/24" ];
      };
    };
    expected = [
      "sigma: hardway.components.etcd.flags.service-cluster-ip-range is 10.200.128.0/24, for Services, and overlaps hardway.components.etcd.flags.cluster-cidr, 10.200.0.0/16, for Pods; each needs a range of its own."
    ];
  };
  testRangeOfMachines = {
    expr = complaints {
      hardway.cni.config = {
        name = "bridge";
        plugins = [ { ipam.ranges = [ [ { subnet = "10.240.0.128/25"; } ] ]; } ];
      };
    };
    expected = [
      "sigma: hardway.cni.config.plugins.ipam.ranges.subnet is 10.240.0.128/25, for Pods, and overlaps systemd.network.networks.\"20-segment0\".address, 10.240.0.21/24, for machines; each needs a range of its own."
    ];
  };
  testRangesApart = {
    expr = complaints {
      hardway.node.podCIDR = "10.200.21.0/24";
      hardway.components.etcd.flags = {
        cluster-cidr = "10.200.0.0/16";
        service-cluster-ip-range = "10.32.0.0/24,fd00::/108";
      };
    };
    expected = [ ];
  };
  testPortTakenTwice = {
    expr = complaints (kubelet {
      hardway.components.etcd.ports = [
        2379
        10250
      ];
    });
    expected = [
      "sigma: hardway.components.etcd.ports and hardway.components.kubelet.ports both have 10250; only one program can listen there."
    ];
  };
  testPortUnsaid = {
    expr = complaints (kubelet {
      hardway.components.kubelet.config.readOnlyPort = 10255;
      hardway.components.etcd.flags.listen-peer-urls = [ "https://10.240.0.21:2380" ];
      # A Service's, and none at all.
      hardway.components.etcd.flags.kubernetes-service-node-port = 30443;
      hardway.components.etcd.flags.insecure-port = 0;
    });
    expected = [
      "sigma: hardway.components.etcd.flags.listen-peer-urls is https://10.240.0.21:2380, but hardway.components.etcd.ports has no 2380: a second program on that port would not be noticed."
      "sigma: hardway.components.kubelet.config.readOnlyPort is 10255, but hardway.components.kubelet.ports has no 10255: a second program on that port would not be noticed."
    ];
  };
  testConfigWithoutPath = {
    expr = complaints { hardway.components.etcd.config.a = 1; };
    expected = [
      "sigma: hardway.components.etcd.config says something, but hardway.components.etcd.configPath does not say where to write it."
    ];
  };
  testOneFileTwice = {
    expr = complaints (kubelet {
      hardway.components.etcd.configPath = "kubernetes/kubelet.yaml";
    });
    expected = [
      "sigma: hardway.components.etcd.configPath and hardway.components.kubelet.configPath are both kubernetes/kubelet.yaml; each needs a file of its own."
    ];
  };
  testImagesWithoutContainerd = {
    expr = complaints { hardway.images = [ "/var/lib/images/pause.tar" ]; };
    expected = [
      "sigma: hardway.images is not empty, but there is no hardway.components.containerd to put them into."
    ];
  };
  testNoUefi = {
    expr = map guest [
      { boot.loader.grub.efiSupport = lib.mkForce false; }
      { boot.loader.grub.efiInstallAsRemovable = lib.mkForce false; }
      { boot.loader.grub.enable = lib.mkForce false; }
      { }
    ];
    expected = [
      [
        "sigma: boot.loader.grub.efiSupport is false, but the machine's firmware is UEFI and starts nothing else."
      ]
      [
        "sigma: boot.loader.grub.efiInstallAsRemovable is false, but the firmware finds a loader at the removable path alone (EFI/BOOT): its boot entries are not kept."
      ]
      [ ]
      [ ]
    ];
  };
  # What hardway itself generates: nothing to complain of.
  testGeneratedHosts = {
    expr = lib.mapAttrs (_: host: guest host.module) (import ../../hosts);
    expected = lib.mapAttrs (_: _: [ ]) (import ../../hosts);
  };
}
