# sigma, a worker. Written by `hardway generate` from cluster.json: change that, not this.
# A function to literals: what NixOS does with them is in modules/.
{ ... }:
{
  boot.kernel.sysctl = {
    "net.ipv4.conf.all.forwarding" = 1;
    "net.ipv4.ip_forward" = 1;
  };
  boot.kernelModules = [ "overlay" ];
  environment.etc."systemd/logind.conf.d/kubelet.conf".text = ''
    [Login]
    InhibitDelayMaxSec=30
  '';
  hardway.cni.plugins = [ "loopback" ];
  hardway.node = {
    address = "10.240.0.21";
    interface = "segment0";
    name = "sigma";
    role = "worker";
  };
  hardway.ssh = {
    authorizedKeys = "/var/lib/hardway/pki/ssh-authorized-keys";
    enable = true;
    hostKey = "/var/lib/hardway/pki/ssh-host-sigma-key.pem";
    interface = "uplink0";
  };
  hardway.versions = {
    containerd = "2.2";
    etcd = "3.6";
    kubernetes = "1.36";
  };
  networking.firewall = {
    checkReversePath = false;
    enable = true;
    interfaces = {
      segment0 = {
        allowedTCPPorts = [
          4240
          10250
        ];
        allowedUDPPorts = [ 8472 ];
      };
      uplink0 = {
        allowedTCPPorts = [ 22 ];
        allowedUDPPorts = [ ];
      };
    };
  };
  networking.hostName = "sigma";
  networking.nftables.enable = true;
  networking.nftables.tables.hardway = {
    content = ''
      # To a guest, 10.0.2.2 is the host's own loopback: Pods get name resolution there, and nothing else.
      chain forward {
        type filter hook forward priority filter - 5; policy accept;
        ip saddr 10.200.0.0/16 ip daddr 10.0.2.3 udp dport 53 accept
        ip saddr 10.200.0.0/16 ip daddr 10.0.2.3 tcp dport 53 accept
        ip saddr 10.200.0.0/16 ip daddr 10.0.2.0/24 drop
      }
    '';
    family = "inet";
  };
  networking.useDHCP = false;
  networking.useNetworkd = true;
  services.resolved.enable = true;
  services.timesyncd.enable = true;
  system.stateVersion = "26.05";
  systemd.network.config.networkConfig = {
    ManageForeignRoutes = false;
    ManageForeignRoutingPolicyRules = false;
  };
  systemd.network.links = {
    "10-segment0" = {
      linkConfig.Name = "segment0";
      matchConfig.MACAddress = "52:54:00:f0:00:15";
    };
    "10-uplink0" = {
      linkConfig.Name = "uplink0";
      matchConfig.MACAddress = "52:54:01:f0:00:15";
    };
  };
  systemd.network.networks = {
    "10-uplink0" = {
      matchConfig.Name = "uplink0";
      networkConfig.DHCP = "ipv4";
    };
    "20-segment0" = {
      address = [ "10.240.0.21/24" ];
      matchConfig.Name = "segment0";
    };
  };
  systemd.network.wait-online.enable = false;

  # What the nodes know of each other stands once, in hosts/peers.nix.
  networking.hosts = (import ../peers.nix).hosts;

  # Every key and certificate that this node gets, and whose process reads it.
  hardway.pki.files = {
    "ca.pem".user = "root";
    "kubelet-client-sigma.kubeconfig".user = "root";
    "kubelet-serving-sigma-key.pem".user = "root";
    "kubelet-serving-sigma.pem".user = "root";
    ssh-authorized-keys.user = "root";
    "ssh-host-sigma-key.pem".user = "root";
  };

  # containerd: pulls images and runs containers, at the kubelet's word
  hardway.components.containerd = {
    description = "containerd: pulls images and runs containers, at the kubelet's word";
    package = "containerd";
    command = "containerd";
    flags.config = "/etc/containerd/config.toml";
    configPath = "containerd/config.toml";
    format = "toml";
    config = {
      plugins = {
        "io.containerd.cri.v1.images".pinned_images.sandbox = "registry.k8s.io/pause:3.10";
        "io.containerd.cri.v1.runtime" = {
          cni = {
            bin_dirs = [ "/opt/cni/bin" ];
            conf_dir = "/etc/cni/net.d";
          };
          containerd.runtimes.runc = {
            options.SystemdCgroup = true;
            runtime_type = "io.containerd.runc.v2";
          };
        };
      };
      version = 3;
    };
    path = [
      "containerd"
      "iproute2"
      "iptables"
      "kmod"
      "runc"
      "util-linux"
    ];
    after = [ "systemd-networkd.service" ];
    requires = [ ];
    user = "root";
    readiness = "notify";
    ports = [ ];
    stateDirectory = "containerd";
    delegate = true;
  };

  # kubelet: runs the Pods that the API server assigns to this node
  hardway.components.kubelet = {
    description = "kubelet: runs the Pods that the API server assigns to this node";
    package = "kubernetes";
    command = "kubelet";
    flags = {
      config = "/etc/kubernetes/kubelet.yaml";
      hostname-override = "sigma";
      kubeconfig = "/var/lib/hardway/pki/kubelet-client-sigma.kubeconfig";
      node-ip = "10.240.0.21";
    };
    configPath = "kubernetes/kubelet.yaml";
    format = "yaml";
    config = {
      address = "0.0.0.0";
      apiVersion = "kubelet.config.k8s.io/v1beta1";
      authentication = {
        anonymous.enabled = false;
        webhook.enabled = true;
        x509.clientCAFile = "/var/lib/hardway/pki/ca.pem";
      };
      authorization.mode = "Webhook";
      cgroupDriver = "systemd";
      clusterDNS = [ "10.32.0.10" ];
      clusterDomain = "cluster.local";
      containerRuntimeEndpoint = "unix:///run/containerd/containerd.sock";
      failSwapOn = true;
      kind = "KubeletConfiguration";
      port = 10250;
      readOnlyPort = 0;
      resolvConf = "/run/systemd/resolve/resolv.conf";
      shutdownGracePeriod = "30s";
      shutdownGracePeriodCriticalPods = "10s";
      systemReserved = {
        cpu = "100m";
        memory = "256Mi";
      };
      tlsCertFile = "/var/lib/hardway/pki/kubelet-serving-sigma.pem";
      tlsPrivateKeyFile = "/var/lib/hardway/pki/kubelet-serving-sigma-key.pem";
    };
    path = [
      "conntrack-tools"
      "ethtool"
      "iproute2"
      "iptables"
      "socat"
      "util-linux"
    ];
    after = [ "systemd-networkd.service" ];
    requires = [ "containerd.service" ];
    user = "root";
    readiness = "notify";
    ports = [
      10248
      10250
    ];
    stateDirectory = "kubelet";
    hardening = {
      CapabilityBoundingSet = "~CAP_AUDIT_CONTROL CAP_AUDIT_READ CAP_BLOCK_SUSPEND CAP_LINUX_IMMUTABLE CAP_MAC_ADMIN CAP_MAC_OVERRIDE CAP_SYS_BOOT CAP_SYS_MODULE CAP_SYS_PACCT CAP_SYS_RAWIO CAP_SYS_TIME CAP_SYS_TTY_CONFIG CAP_WAKE_ALARM";
      LockPersonality = true;
      MemoryDenyWriteExecute = true;
      NoNewPrivileges = true;
      RestrictAddressFamilies = "AF_INET AF_INET6 AF_NETLINK AF_UNIX";
      RestrictRealtime = true;
      SystemCallArchitectures = "native";
    };
  };
}
