# alpha, a control plane. Written by `hardway generate` from cluster.json: change that, not this.
# A function to literals: what NixOS does with them is in modules/.
{ ... }:
{
  boot.kernel.sysctl."net.ipv4.ip_nonlocal_bind" = 1;
  boot.kernelModules = [ ];
  hardway.node = {
    address = "10.240.0.10";
    interface = "segment0";
    name = "alpha";
    role = "control-plane";
  };
  hardway.ssh = {
    authorizedKeys = "/var/lib/hardway/pki/ssh-authorized-keys";
    enable = true;
    hostKey = "/var/lib/hardway/pki/ssh-host-alpha-key.pem";
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
        allowedTCPPorts = [ 6443 ];
        allowedUDPPorts = [ ];
      };
      uplink0 = {
        allowedTCPPorts = [
          22
          6443
        ];
        allowedUDPPorts = [ ];
      };
    };
  };
  networking.hostName = "alpha";
  networking.nftables.enable = true;
  networking.useDHCP = false;
  networking.useNetworkd = true;
  services.resolved.enable = true;
  services.timesyncd.enable = true;
  system.stateVersion = "26.05";
  systemd.network.links = {
    "10-segment0" = {
      linkConfig.Name = "segment0";
      matchConfig.MACAddress = "52:54:00:f0:00:0a";
    };
    "10-uplink0" = {
      linkConfig.Name = "uplink0";
      matchConfig.MACAddress = "52:54:01:f0:00:0a";
    };
  };
  systemd.network.networks = {
    "10-uplink0" = {
      matchConfig.Name = "uplink0";
      networkConfig.DHCP = "ipv4";
    };
    "20-segment0" = {
      address = [ "10.240.0.10/24" ];
      matchConfig.Name = "segment0";
    };
  };
  systemd.network.wait-online.enable = false;

  # What the nodes know of each other stands once, in hosts/peers.nix.
  networking.hosts = (import ../peers.nix).hosts;

  # Every key and certificate that this node gets, and whose process reads it.
  hardway.pki.files = {
    "ca-key.pem".user = "kubernetes";
    "ca-signing.pem".user = "root";
    "ca.pem".user = "root";
    "encryption-config.yaml".user = "kubernetes";
    "etcd-ca.pem".user = "root";
    "etcd-peer-alpha-key.pem".user = "etcd";
    "etcd-peer-alpha.pem".user = "etcd";
    "etcd-server-alpha-key.pem".user = "etcd";
    "etcd-server-alpha.pem".user = "etcd";
    "front-proxy-ca.pem".user = "root";
    "front-proxy-client-key.pem".user = "kubernetes";
    "front-proxy-client.pem".user = "kubernetes";
    "kube-apiserver-etcd-client-key.pem".user = "kubernetes";
    "kube-apiserver-etcd-client.pem".user = "kubernetes";
    "kube-apiserver-key.pem".user = "kubernetes";
    "kube-apiserver-kubelet-client-key.pem".user = "kubernetes";
    "kube-apiserver-kubelet-client.pem".user = "kubernetes";
    "kube-apiserver.pem".user = "kubernetes";
    "kube-controller-manager.kubeconfig".user = "kubernetes";
    "kube-scheduler.kubeconfig".user = "kubernetes";
    "service-account-key.pem".user = "kubernetes";
    "service-account.pem".user = "root";
    ssh-authorized-keys.user = "root";
    "ssh-host-alpha-key.pem".user = "root";
  };

  # etcd: stores the state of the cluster; only the API server talks to it
  hardway.components.etcd = {
    description = "etcd: stores the state of the cluster; only the API server talks to it";
    package = "etcd";
    command = "etcd";
    flags = {
      advertise-client-urls = "https://10.240.0.10:2379";
      cert-file = "/var/lib/hardway/pki/etcd-server-alpha.pem";
      client-cert-auth = true;
      data-dir = "/var/lib/etcd";
      initial-advertise-peer-urls = "https://10.240.0.10:2380";
      initial-cluster = [ "alpha=https://10.240.0.10:2380" ];
      initial-cluster-state = "new";
      initial-cluster-token = "hardway";
      key-file = "/var/lib/hardway/pki/etcd-server-alpha-key.pem";
      listen-client-urls = [
        "https://127.0.0.1:2379"
        "https://10.240.0.10:2379"
      ];
      listen-peer-urls = [ "https://10.240.0.10:2380" ];
      name = "alpha";
      peer-cert-file = "/var/lib/hardway/pki/etcd-peer-alpha.pem";
      peer-client-cert-auth = true;
      peer-key-file = "/var/lib/hardway/pki/etcd-peer-alpha-key.pem";
      peer-trusted-ca-file = "/var/lib/hardway/pki/etcd-ca.pem";
      trusted-ca-file = "/var/lib/hardway/pki/etcd-ca.pem";
    };
    path = [ ];
    after = [ "systemd-networkd.service" ];
    requires = [ ];
    user = "etcd";
    readiness = "notify";
    ports = [
      2379
      2380
    ];
    stateDirectory = "etcd";
  };

  # kube-apiserver: serves the Kubernetes API; every other component is its client
  hardway.components.kube-apiserver = {
    description = "kube-apiserver: serves the Kubernetes API; every other component is its client";
    package = "kubernetes";
    command = "kube-apiserver";
    flags = {
      advertise-address = "10.240.0.10";
      allow-privileged = true;
      api-audiences = [ "https://kubernetes.default.svc.cluster.local" ];
      audit-log-maxage = 7;
      audit-log-maxbackup = 3;
      audit-log-maxsize = 50;
      audit-log-path = "/var/lib/kube-apiserver/audit.log";
      audit-policy-file = "/etc/kubernetes/audit-policy.yaml";
      authorization-mode = [
        "Node"
        "RBAC"
      ];
      bind-address = "0.0.0.0";
      client-ca-file = "/var/lib/hardway/pki/ca.pem";
      enable-admission-plugins = [ "NodeRestriction" ];
      encryption-provider-config = "/var/lib/hardway/pki/encryption-config.yaml";
      etcd-cafile = "/var/lib/hardway/pki/etcd-ca.pem";
      etcd-certfile = "/var/lib/hardway/pki/kube-apiserver-etcd-client.pem";
      etcd-keyfile = "/var/lib/hardway/pki/kube-apiserver-etcd-client-key.pem";
      etcd-servers = [ "https://127.0.0.1:2379" ];
      kubelet-certificate-authority = "/var/lib/hardway/pki/ca.pem";
      kubelet-client-certificate = "/var/lib/hardway/pki/kube-apiserver-kubelet-client.pem";
      kubelet-client-key = "/var/lib/hardway/pki/kube-apiserver-kubelet-client-key.pem";
      kubelet-preferred-address-types = [
        "InternalIP"
        "Hostname"
      ];
      profiling = false;
      proxy-client-cert-file = "/var/lib/hardway/pki/front-proxy-client.pem";
      proxy-client-key-file = "/var/lib/hardway/pki/front-proxy-client-key.pem";
      requestheader-allowed-names = [ "front-proxy-client" ];
      requestheader-client-ca-file = "/var/lib/hardway/pki/front-proxy-ca.pem";
      requestheader-extra-headers-prefix = [ "X-Remote-Extra-" ];
      requestheader-group-headers = [ "X-Remote-Group" ];
      requestheader-username-headers = [ "X-Remote-User" ];
      secure-port = 6443;
      service-account-issuer = "https://kubernetes.default.svc.cluster.local";
      service-account-key-file = "/var/lib/hardway/pki/service-account.pem";
      service-account-signing-key-file = "/var/lib/hardway/pki/service-account-key.pem";
      service-cluster-ip-range = "10.32.0.0/24";
      shutdown-watch-termination-grace-period = "10s";
      tls-cert-file = "/var/lib/hardway/pki/kube-apiserver.pem";
      tls-min-version = "VersionTLS12";
      tls-private-key-file = "/var/lib/hardway/pki/kube-apiserver-key.pem";
    };
    configPath = "kubernetes/audit-policy.yaml";
    format = "yaml";
    config = {
      apiVersion = "audit.k8s.io/v1";
      kind = "Policy";
      omitStages = [ "RequestReceived" ];
      rules = [
        {
          level = "None";
          resources = [
            {
              group = "coordination.k8s.io";
              resources = [ "leases" ];
            }
            {
              group = "";
              resources = [ "events" ];
            }
            {
              group = "events.k8s.io";
              resources = [ "events" ];
            }
          ];
        }
        {
          level = "None";
          nonResourceURLs = [
            "/healthz*"
            "/livez*"
            "/readyz*"
          ];
        }
        {
          level = "Metadata";
          resources = [
            {
              group = "";
              resources = [
                "secrets"
                "configmaps"
                "serviceaccounts/token"
              ];
            }
            {
              group = "authentication.k8s.io";
              resources = [ "tokenreviews" ];
            }
          ];
        }
        {
          level = "Request";
          verbs = [
            "create"
            "delete"
            "deletecollection"
            "patch"
            "update"
          ];
        }
        {
          level = "Metadata";
        }
      ];
    };
    path = [ ];
    after = [ ];
    requires = [ "etcd.service" ];
    user = "kubernetes";
    readiness = "notify";
    ports = [ 6443 ];
    stateDirectory = "kube-apiserver";
  };

  # kube-controller-manager: runs the control loops (Deployments, Nodes, tokens, …)
  hardway.components.kube-controller-manager = {
    description = "kube-controller-manager: runs the control loops (Deployments, Nodes, tokens, …)";
    package = "kubernetes";
    command = "kube-controller-manager";
    flags = {
      allocate-node-cidrs = true;
      authentication-kubeconfig = "/var/lib/hardway/pki/kube-controller-manager.kubeconfig";
      authorization-kubeconfig = "/var/lib/hardway/pki/kube-controller-manager.kubeconfig";
      bind-address = "127.0.0.1";
      cluster-cidr = "10.200.0.0/16";
      cluster-name = "hardway";
      cluster-signing-cert-file = "/var/lib/hardway/pki/ca-signing.pem";
      cluster-signing-key-file = "/var/lib/hardway/pki/ca-key.pem";
      kubeconfig = "/var/lib/hardway/pki/kube-controller-manager.kubeconfig";
      leader-elect = true;
      node-cidr-mask-size-ipv4 = 24;
      profiling = false;
      root-ca-file = "/var/lib/hardway/pki/ca.pem";
      service-account-private-key-file = "/var/lib/hardway/pki/service-account-key.pem";
      service-cluster-ip-range = "10.32.0.0/24";
      use-service-account-credentials = true;
    };
    path = [ ];
    after = [ "kube-apiserver.service" ];
    requires = [ ];
    user = "kubernetes";
    readiness = "exec";
    ports = [ 10257 ];
    waitFor = {
      arguments = [
        "--cacert"
        "/var/lib/hardway/pki/ca.pem"
        "--fail"
        "--max-time"
        "10"
        "--output"
        "/dev/null"
        "--retry"
        "400"
        "--retry-all-errors"
        "--retry-delay"
        "2"
        "--silent"
        "https://127.0.0.1:6443/readyz"
      ];
      command = "curl";
      package = "curl";
    };
  };

  # kube-scheduler: chooses the node on which a new Pod runs
  hardway.components.kube-scheduler = {
    description = "kube-scheduler: chooses the node on which a new Pod runs";
    package = "kubernetes";
    command = "kube-scheduler";
    flags = {
      authentication-kubeconfig = "/var/lib/hardway/pki/kube-scheduler.kubeconfig";
      authorization-kubeconfig = "/var/lib/hardway/pki/kube-scheduler.kubeconfig";
      bind-address = "127.0.0.1";
      config = "/etc/kubernetes/kube-scheduler.yaml";
    };
    configPath = "kubernetes/kube-scheduler.yaml";
    format = "yaml";
    config = {
      apiVersion = "kubescheduler.config.k8s.io/v1";
      clientConnection.kubeconfig = "/var/lib/hardway/pki/kube-scheduler.kubeconfig";
      enableProfiling = false;
      kind = "KubeSchedulerConfiguration";
      leaderElection.leaderElect = true;
    };
    path = [ ];
    after = [ "kube-apiserver.service" ];
    requires = [ ];
    user = "kubernetes";
    readiness = "exec";
    ports = [ 10259 ];
    waitFor = {
      arguments = [
        "--cacert"
        "/var/lib/hardway/pki/ca.pem"
        "--fail"
        "--max-time"
        "10"
        "--output"
        "/dev/null"
        "--retry"
        "400"
        "--retry-all-errors"
        "--retry-delay"
        "2"
        "--silent"
        "https://127.0.0.1:6443/readyz"
      ];
      command = "curl";
      package = "curl";
    };
  };
}
