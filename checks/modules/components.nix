# What a component becomes.
{ lib, stub }:
let
  inherit (stub) configOf pkgs;
  node = ./node.nix;
  config = configOf [ node ];
  inherit (config.systemd.services) etcd;
in
{
  testExecStart = {
    expr = etcd.serviceConfig.ExecStart;
    expected = lib.concatStringsSep " \\\n  " [
      "/pkg/etcd/bin/etcd"
      "--key-file=/var/lib/hardway/pki/etcd-key.pem"
      "--name=sigma"
      "--trusted-ca-file=/var/lib/hardway/pki/ca.pem"
    ];
  };
  testOrder = {
    expr = { inherit (etcd) after requires; };
    expected = {
      after = [
        "network.target"
        "hardway-pki.service"
        "other.service"
      ];
      requires = [
        "hardway-pki.service"
        "other.service"
      ];
    };
  };
  testWaitFor = {
    expr =
      (configOf [
        node
        {
          hardway.components.etcd.waitFor = {
            package = "kubernetes";
            command = "ask";
            arguments = [
              "--wait"
              "a b"
            ];
          };
        }
      ]).systemd.services.etcd.serviceConfig.ExecStartPre;
    expected = lib.concatStringsSep " \\\n  " [
      "/pkg/kubernetes/bin/ask"
      "--wait"
      "\"a b\""
    ];
  };
  testNoWaitFor = {
    expr = etcd.serviceConfig ? ExecStartPre;
    expected = false;
  };
  testUserIsMade = {
    expr = lib.attrNames config.users.users ++ lib.attrNames config.users.groups;
    expected = [
      "etcd"
      "etcd"
    ];
  };
  testModes = {
    expr = lib.mapAttrs (_: file: file.mode) config.hardway.pki.files;
    expected = {
      "ca.pem" = "0644";
      "etcd-key.pem" = "0600";
    };
  };
  testFlagDroppedAndAdded = {
    expr =
      (configOf [
        node
        {
          hardway.components.etcd.flags = {
            name = lib.mkForce null;
            v = 4;
            gates = {
              B = true;
              A = false;
            };
          };
        }
      ]).systemd.services.etcd.serviceConfig.ExecStart;
    expected = lib.concatStringsSep " \\\n  " [
      "/pkg/etcd/bin/etcd"
      "--gates=A=false,B=true"
      "--key-file=/var/lib/hardway/pki/etcd-key.pem"
      "--trusted-ca-file=/var/lib/hardway/pki/ca.pem"
      "--v=4"
    ];
  };
  testComponentDropped = {
    expr =
      lib.attrNames
        (configOf [
          node
          { hardway.components.etcd.enable = false; }
        ]).systemd.services;
    expected = [ "hardway-pki" ];
  };
  testPackageSwapped = {
    expr =
      lib.hasPrefix "/pkg/kubernetes/bin/etcd"
        (configOf [
          node
          { hardway.components.etcd.package = lib.mkForce pkgs.kubernetes; }
        ]).systemd.services.etcd.serviceConfig.ExecStart;
    expected = true;
  };
  # `config` is a module's own word too: as an option's name it must work in every
  # form of a definition. Only in a function's result it is `config.config`.
  testConfigInEveryForm = {
    expr =
      (configOf [
        node
        { hardway.components.etcd.config.nested.path = 1; }
        { hardway.components.etcd = lib.mkIf true { config.inIf = 1; }; }
        { hardway.components.etcd = lib.mkIf false { config.notInIf = 1; }; }
        {
          hardway.components = lib.mkMerge [
            { etcd.config.merged = lib.mkForce 2; }
            { etcd.config.merged = 1; }
          ];
        }
        {
          hardway.components.etcd.config = lib.mkMerge [
            { nested.more = [ 1 ]; }
            { nested.more = [ 2 ]; }
          ];
        }
        ({ config, ... }: { hardway.components.etcd.config.fromConfig = config.networking.hostName; })
        { hardway.components.etcd = { name, ... }: { config.config.fromFunction = name; }; }
      ]).hardway.components.etcd.config;
    expected = {
      fromConfig = "sigma";
      fromFunction = "etcd";
      inIf = 1;
      merged = 2;
      nested = {
        more = [
          1
          2
        ];
        path = 1;
      };
    };
  };
  testConfigForced = {
    expr =
      (configOf [
        node
        { hardway.components.etcd.config.a.b = 1; }
        { hardway.components.etcd.config = lib.mkForce { c = null; }; }
      ]).hardway.components.etcd.config;
    expected.c = null;
  };
  testConfigFile = {
    expr =
      (configOf [
        node
        {
          hardway.components.etcd = {
            configPath = "etcd.yaml";
            format = "yaml";
            config.a = [ "yes" ];
          };
        }
      ]).environment.etc."etcd.yaml".text;
    expected = ''
      a:
        - "yes"
    '';
  };
}
