# Unit tests of modules/: what a component becomes, and one bad node for each
# assertion. Gives the failures, as lib.runTests does; [ ] is good.
#
# The module system of nixpkgs is real; of NixOS' options only those that the
# modules set are there, as bare values, so that this takes a second, not a minute.
{ lib }:
let
  pkgs = lib.genAttrs [ "cni-plugins" "coreutils" "etcd" "iproute2" "kubernetes" ] (name: {
    type = "derivation";
    inherit name;
    outPath = "/pkg/${name}";
  });

  anything =
    default:
    lib.mkOption {
      type = lib.types.anything;
      inherit default;
    };
  nixos = {
    options = {
      assertions = lib.mkOption { type = lib.types.listOf lib.types.unspecified; };
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
      systemd.network.networks = anything { };
      systemd.services = anything { };
      systemd.tmpfiles.rules = anything [ ];
      users.groups = anything { };
      users.users = anything { };
    };
  };

  configOf =
    modules:
    (lib.evalModules {
      specialArgs = { inherit pkgs; };
      modules = [
        nixos
        ../modules/components.nix
      ]
      ++ modules;
    }).config;
  complaints =
    module:
    map (one: one.message) (
      lib.filter (one: !one.assertion)
        (configOf [
          node
          module
        ]).assertions
    );

  # A good node, which each bad one spoils in one place.
  node = {
    hardway.node = {
      name = "sigma";
      address = "10.240.0.21";
      interface = "segment0";
    };
    systemd.network.networks."20-segment0" = {
      matchConfig.Name = "segment0";
      address = [ "10.240.0.21/24" ];
    };
    hardway.pki.files = {
      "ca.pem".user = "root";
      "etcd-key.pem".user = "etcd";
    };
    hardway.components.etcd = {
      package = "etcd";
      user = "etcd";
      readiness = "notify";
      stateDirectory = "etcd";
      requires = [ "other.service" ];
      path = [ "iproute2" ];
      flags = {
        key-file = "/var/lib/hardway/pki/etcd-key.pem";
        trusted-ca-file = "/var/lib/hardway/pki/ca.pem";
        name = "sigma";
      };
    };
  };
  config = configOf [ node ];
  inherit (config.systemd.services) etcd;
in
lib.runTests {
  testGoodNode = {
    expr = complaints { };
    expected = [ ];
  };
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

  testSecretInStore = {
    expr = complaints {
      hardway.components.etcd.flags.peer-key-file = "${builtins.storeDir}/abc-peer-key.pem";
    };
    expected = [
      "sigma: hardway.components.etcd.flags.peer-key-file is ${builtins.storeDir}/abc-peer-key.pem, a secret in the Nix store, which everyone can read. Put the file into /var/lib/hardway/pki on the machine and give its path as a string."
    ];
  };
  testPathIsNoFlag = {
    expr =
      (builtins.tryEval
        (configOf [ { hardway.components.etcd.flags.key-file = ./modules.nix; } ])
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
}
