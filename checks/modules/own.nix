# What a person can do to a generated node in a module of their own.
{ lib, stub }:
let
  inherit (stub) configOf complaintsOf pkgs;
  sigma = ../../hosts/sigma;
  services =
    module:
    (configOf [
      sigma
      module
    ]).systemd.services;
  # The flags of a service's command line, one a line.
  flags = service: lib.tail (lib.splitString " \\\n  " service.serviceConfig.ExecStart);
  before = (configOf [ sigma ]).systemd.services;
in
{
  testFlagMore = {
    expr = lib.subtractLists (flags before.kubelet) (
      flags (services { hardway.components.kubelet.flags.v = 4; }).kubelet
    );
    expected = [ "--v=4" ];
  };
  testFlagLess = {
    expr = lib.subtractLists (flags
      (services { hardway.components.kubelet.flags.hostname-override = lib.mkForce null; }).kubelet
    ) (flags before.kubelet);
    expected = [ "--hostname-override=sigma" ];
  };
  testSetting = {
    expr =
      lib.hasInfix "\nmaxPods: 30\n"
        (configOf [
          sigma
          { hardway.components.kubelet.config.maxPods = 30; }
        ]).environment.etc."kubernetes/kubelet.yaml".text;
    expected = true;
  };
  testComponentLess = {
    expr = lib.subtractLists (lib.attrNames (services {
      hardway.components.kubelet.enable = false;
    })) (lib.attrNames before);
    expected = [ "kubelet" ];
  };
  testOtherPackage = {
    expr =
      lib.hasPrefix "/pkg/mine/bin/kubelet "
        (services {
          hardway.components.kubelet.package = lib.mkForce (pkgs.kubernetes // { outPath = "/pkg/mine"; });
        }).kubelet.serviceConfig.ExecStart;
    expected = true;
  };
  testHardening = {
    expr =
      let
        of = module: (services module).kubelet.serviceConfig;
        own = of {
          hardway.components.kubelet.hardening = {
            MemoryDenyWriteExecute = lib.mkForce null;
            ProtectClock = true;
          };
        };
      in
      {
        gone = own ? MemoryDenyWriteExecute;
        inherit (own) LockPersonality ProtectClock;
        none = (of { hardway.components.kubelet.hardening = lib.mkForce { }; }) ? LockPersonality;
      };
    expected = {
      gone = false;
      LockPersonality = true;
      ProtectClock = true;
      none = false;
    };
  };
  testImages = {
    expr =
      let
        own = services { hardway.images = [ "/var/lib/images/pause.tar" ]; };
      in
      {
        inherit (own.hardway-images) after before requires;
        import = lib.splitString " \\\n  " (lib.head own.hardway-images.serviceConfig.ExecStart);
        # Another list is another mark, so that it is done again.
        mark =
          own.hardway-images.unitConfig != (services { hardway.images = [ "/other.tar" ]; })
          .hardway-images.unitConfig;
      };
    expected = {
      after = [ "containerd.service" ];
      before = [ "kubelet.service" ];
      requires = [ "containerd.service" ];
      import = [
        "/pkg/containerd/bin/ctr"
        "--namespace=k8s.io"
        "images"
        "import"
        "--label=io.cri-containerd.pinned=pinned"
        "/var/lib/images/pause.tar"
      ];
      mark = true;
    };
  };
  # A virtual machine's sshd: on the NIC to the host alone, root alone, by key alone.
  testSsh = {
    expr =
      let
        config = configOf [ sigma ];
        inherit (config.services) openssh;
      in
      {
        inherit (config.systemd.sockets.sshd) socketConfig;
        # NixOS makes each of hostKeys that is missing: a lost one must stay lost.
        inherit (openssh)
          authorizedKeysFiles
          hostKeys
          openFirewall
          startWhenNeeded
          ;
        inherit (openssh.settings) HostKey PasswordAuthentication PermitRootLogin;
        keygen = config.systemd.services.sshd-keygen.enable;
        opened = config.networking.firewall.interfaces.uplink0.allowedTCPPorts;
      };
    expected = {
      socketConfig.BindToDevice = "uplink0";
      authorizedKeysFiles = [ "/var/lib/hardway/pki/ssh-authorized-keys" ];
      openFirewall = false;
      startWhenNeeded = true;
      hostKeys = [ ];
      HostKey = "/var/lib/hardway/pki/ssh-host-sigma-key.pem";
      keygen = false;
      PasswordAuthentication = false;
      PermitRootLogin = "prohibit-password";
      opened = [ 22 ];
    };
  };
  # Without it services.openssh is nobody's but the user's.
  testNoSsh = {
    expr =
      (configOf [
        sigma
        { hardway.ssh.enable = lib.mkForce false; }
      ])
        ? services.openssh;
    expected = false;
  };
  # Only etcd, on a machine that no topology knows.
  testOnlyEtcd =
    let
      etcd = {
        networking.hostName = "store";
        hardway.pki.files = {
          "ca.pem" = { };
          "etcd.pem".user = "etcd";
          "etcd-key.pem".user = "etcd";
        };
        hardway.components.etcd = {
          package = "etcd";
          user = "etcd";
          readiness = "notify";
          stateDirectory = "etcd";
          ports = [ 2379 ];
          flags = {
            cert-file = "/var/lib/hardway/pki/etcd.pem";
            key-file = "/var/lib/hardway/pki/etcd-key.pem";
            client-cert-auth = true;
            trusted-ca-file = "/var/lib/hardway/pki/ca.pem";
            data-dir = "/var/lib/etcd";
            listen-client-urls = [ "https://0.0.0.0:2379" ];
          };
        };
      };
    in
    {
      expr = {
        complaints = complaintsOf [ etcd ];
        services = lib.attrNames (configOf [ etcd ]).systemd.services;
      };
      expected = {
        complaints = [ ];
        services = [
          "etcd"
          "hardway-pki"
        ];
      };
    };
  # A generated worker on a machine that is not ours: no QEMU, another card.
  testOtherMachine =
    let
      machine = [
        sigma
        {
          hardway.node.interface = lib.mkForce "eno1";
          systemd.network.networks."20-segment0".matchConfig.Name = lib.mkForce "eno1";
          swapDevices = [ ];
        }
      ];
    in
    {
      expr = {
        complaints = complaintsOf machine;
        inherit (configOf machine) boot;
      };
      expected = {
        complaints = [ ];
        # Of the loader only what the stand-in for NixOS declares: nothing of QEMU's.
        boot = {
          kernel.sysctl = {
            "net.ipv4.conf.all.forwarding" = 1;
            "net.ipv4.ip_forward" = 1;
          };
          kernelModules = [ "overlay" ];
          loader.grub = {
            efiInstallAsRemovable = false;
            efiSupport = false;
            enable = false;
          };
        };
      };
    };
}
