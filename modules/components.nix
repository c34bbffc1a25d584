# hardway.components.<name> -> a systemd service <name>.service, one flag a line.
#
# No flag of Kubernetes stands here: they all come from the generated host modules
# (or from a module of one's own). This file only says how a component becomes a
# service; the text itself is made in ./render.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  render = import ./render;
  packageType = import ./package-type.nix { inherit lib pkgs; };
  components = lib.filterAttrs (_: component: component.enable) config.hardway.components;

  value = import ./value-type.nix { inherit lib; };
  scalar = types.oneOf [
    types.bool
    types.int
    types.str
  ];
  flag = types.nullOr (
    types.oneOf [
      scalar
      (types.listOf scalar)
      (types.attrsOf scalar)
    ]
  );

  waitFor.options = {
    package = mkOption {
      type = packageType;
      example = "curl";
      description = "The package that has the program: a package, or the name of one in `pkgs`.";
    };
    command = mkOption {
      type = types.str;
      example = "curl";
      description = "The program's name in the package's `bin`.";
    };
    arguments = mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [
        "--fail"
        "https://127.0.0.1:6443/readyz"
      ];
      description = "The program's words, one a line in the unit.";
    };
  };

  component =
    { config, name, ... }:
    {
      # The option `config` is config.config here.
      config.hardening = lib.mapAttrs (_: lib.mkDefault) (render.hardening config);
      options = {
        enable = mkOption {
          type = types.bool;
          default = true;
          example = false;
          description = "Whether this node runs the component. Set it to false to drop one that the generated host module has.";
        };
        description = mkOption {
          type = types.singleLineStr;
          default = name;
          defaultText = lib.literalMD "the component's name";
          example = "etcd: keeps the cluster's state";
          description = "What the component is for, in one line; `systemctl status` shows it.";
        };
        package = mkOption {
          type = packageType;
          example = lib.literalExpression ''pkgs.kubernetes.overrideAttrs { version = "1.36.4"; }'';
          description = "The package that has the program: a package, or the name of one in `pkgs`.";
        };
        command = mkOption {
          type = types.str;
          default = name;
          defaultText = lib.literalMD "the component's name";
          example = "kube-apiserver";
          description = "The program's name in the package's `bin`.";
        };
        arguments = mkOption {
          type = types.listOf types.str;
          default = [ ];
          example = [ "server" ];
          description = "Words that stand between the program and its flags.";
        };
        flags = mkOption {
          type = types.attrsOf flag;
          default = { };
          example = {
            v = 2;
            profiling = false;
            authorization-mode = [
              "Node"
              "RBAC"
            ];
            feature-gates = {
              ContextualLogging = true;
            };
          };
          description = ''
            The program's flags, written as `--name=value` in the order of their names, one a line:
            a list as `a,b`, an attribute set as `a=true,b=false`. `null` leaves a flag out.
            Never a secret itself, only the path of one.
          '';
        };
        config = mkOption {
          type = types.attrsOf value;
          default = { };
          example = {
            kind = "KubeletConfiguration";
            maxPods = 30;
          };
          description = ''
            What the program's configuration file says, where it has one (`configPath`). Never a
            secret: everyone on the machine can read it.

            Where a component is given as a function, as any submodule may be, this option is
            `config.config`.
          '';
        };
        configPath = mkOption {
          type = types.nullOr (types.strMatching "[^/].*");
          default = null;
          example = "kubernetes/kubelet.yaml";
          description = "Where the configuration file is, below /etc. Without it there is none.";
        };
        format = mkOption {
          type = types.enum [
            "json"
            "yaml"
            "toml"
          ];
          default = "yaml";
          example = "toml";
          description = "How the configuration file is written.";
        };
        path = mkOption {
          type = types.listOf packageType;
          default = [ ];
          example = [ "iproute2" ];
          description = "Packages whose programs the component calls: packages, or their names in `pkgs`.";
        };
        environment = mkOption {
          type = types.attrsOf types.str;
          default = { };
          example = {
            GOMEMLIMIT = "512MiB";
          };
          description = "Environment variables. Never a secret.";
        };
        after = mkOption {
          type = types.listOf types.str;
          default = [ ];
          example = [ "kube-apiserver.service" ];
          description = "Units to start after, where they run at all.";
        };
        requires = mkOption {
          type = types.listOf types.str;
          default = [ ];
          example = [ "etcd.service" ];
          description = "Units without which the component can't run; it starts after each is ready.";
        };
        user = mkOption {
          type = types.strMatching "[a-z_][a-z0-9_-]*";
          default = "root";
          example = "etcd";
          description = ''
            The user, and group of the same name, that the component runs as; made where it is not root.
            A component with a user of its own is also shut into a sandbox (`hardening`): it reads its
            files, writes its state directory, and has no privileges.
          '';
        };
        readiness = mkOption {
          type = types.enum [
            "notify"
            "exec"
          ];
          default = "exec";
          example = "notify";
          description = ''
            How systemd knows that the component is ready: `notify` if the program says so itself
            (etcd, kube-apiserver, kubelet, containerd do), `exec` once it has been started.
          '';
        };
        waitFor = mkOption {
          type = types.nullOr (types.submodule waitFor);
          default = null;
          example = {
            package = "curl";
            command = "curl";
            arguments = [
              "--fail"
              "--retry-all-errors"
              "--retry=900"
              "https://127.0.0.1:6443/readyz"
            ];
          };
          description = ''
            A command that has to succeed before the component is started, run as its user: one
            that waits for a component that this one is of no use without. Where it fails, it is
            tried again.
          '';
        };
        stateDirectory = mkOption {
          type = types.nullOr (types.strMatching "[^/].*");
          default = null;
          example = "etcd";
          description = "The component's own directory below /var/lib, made and given to its user.";
        };
        stateDirectoryMode = mkOption {
          type = types.nullOr (types.strMatching "0[0-7]{3}");
          default = null;
          example = "0750";
          description = "The mode of `stateDirectory`; by default 0700, or 0755 where `user` is root.";
        };
        hardening = mkOption {
          type = types.attrsOf (
            types.nullOr (
              types.oneOf [
                types.bool
                types.int
                types.str
                (types.listOf types.str)
              ]
            )
          );
          default = { };
          defaultText = lib.literalMD "a sandbox where `user` is not root, nothing where it is";
          example = {
            MemoryDenyWriteExecute = null;
            ProtectHome = "read-only";
          };
          description = ''
            What systemd denies the component: settings of `systemd.exec(5)`, each with a default that
            is overridden by its name; `null` leaves it out, `lib.mkForce { }` leaves out all.
            `systemd-analyze security` judges the result.
          '';
        };
        ports = mkOption {
          type = types.listOf types.port;
          default = [ ];
          example = [
            2379
            2380
          ];
          description = ''
            The TCP ports that the component listens on. Only said, not acted on (the firewall is
            NixOS' own, `networking.firewall`), so that two components with one port are noticed
            before they are started.
          '';
        };
        delegate = mkOption {
          type = types.bool;
          default = false;
          example = true;
          description = "Whether the component manages the cgroups of containers that outlive it (containerd).";
        };
      };
    };
in
{
  imports = [
    ./assertions
    ./cni.nix
    ./images.nix
    ./node.nix
    ./pki.nix
    ./ssh.nix
    ./versions.nix
  ];

  options.hardway.components = mkOption {
    type = types.attrsOf (types.submodule component);
    default = { };
    description = "The Kubernetes components that this node runs, each a systemd service of the same name.";
    example = lib.literalExpression ''
      {
        kubelet.flags.v = 4;           # one flag more (or another value: lib.mkForce)
        kube-proxy.enable = false;     # dropped on this node
        etcd.package = pkgs.etcd_3_6;  # another package
      }
    '';
  };

  config = {
    environment.etc = lib.mapAttrs (_: text: { inherit text; }) (render.etc components);

    systemd.services = lib.mapAttrs (
      name: component:
      render.service {
        inherit name component;
        packagePath = "${component.package}";
        waitForPath = if component.waitFor == null then null else "${component.waitFor.package}";
      }
      // {
        inherit (component) path;
        # A changed configuration file is as good a reason to restart as a changed flag.
        restartTriggers = lib.optional (
          component.configPath != null
        ) config.environment.etc.${component.configPath}.source;
      }
    ) components;

    users = import ./users.nix {
      inherit lib;
      names = render.users {
        inherit components;
        inherit (config.hardway.pki) files;
      };
    };
  };
}
