# How the plan's data becomes text: flags, configuration files, systemd services.
#
# Only builtins, no nixpkgs: the NixOS modules beside this folder use it, and so
# does the rehearsal's nixos-install, so that both write the same bytes.
#
#   flags FLAGS                     attrs of bool|int|string|list|attrs -> list of words, sorted: [ "--name=value" … ]
#   execStart { program, arguments ? [ ], flags ? { } }
#                                   -> an ExecStart= value, one word a line, escaped for systemd
#   formats.json|yaml|toml VALUE    -> the text of a configuration file, keys sorted
#   service { name, component, packagePath, waitForPath ? null }
#                                   -> what `systemd.services.<name>` takes (see service.nix)
#   pkiService { files, directory ? pki.directory, coreutils ? "/usr" }
#                                   -> the same for hardway-pki.service (see pki.nix)
#   hardening COMPONENT             -> what systemd denies it by default (see hardening.nix)
#   imagesService { images, containerd, coreutils ? "/usr" }
#                                   -> the same for hardway-images.service (see images.nix)
#   unitText SERVICE                -> the unit file of such a service, as NixOS itself would write it
#   etc COMPONENTS                  -> { "<path below /etc>" = text; } of the components' configuration files
#   cniEtc CONFIG                   -> the same for the CNI configuration, or { } of null
#   ipv4.parse, ipv4.overlap        -> ranges of addresses (see ipv4.nix)
#   users { components, files }     -> sorted names of the system users that they need, root left out
#   pki.directory, pki.isPublic NAME, pki.mode FILES NAME
#   ssh.openssh SSH, ssh.socket SSH -> what `services.openssh` and sshd.socket take (see ssh.nix)
#   slowMachine                     -> kernel parameters and units' limits for one (see slow-machine.nix)
#   cniRules { plugins, directory ? "/usr/lib/cni" }
#                                   -> lines for systemd-tmpfiles that fill /opt/cni/bin
let
  text = import ./text.nix;
  formats = {
    json = import ./json.nix { inherit text; };
    yaml = import ./yaml.nix { inherit text; };
    toml = import ./toml.nix { inherit text; };
  };
  flags = import ./flags.nix;
  systemd = import ./systemd.nix { inherit flags text; };
  pki = import ./pki.nix { inherit (systemd) execLine; };

  # Components that have a configuration file.
  configured =
    components:
    builtins.filter (component: component.configPath or null != null) (builtins.attrValues components);
in
{
  inherit flags formats pki;
  inherit (systemd) execStart unitText;
  inherit (pki) pkiService;
  hardening = import ./hardening.nix;
  imagesService = import ./images.nix { inherit (systemd) execLine; };
  ipv4 = import ./ipv4.nix;
  service = import ./service.nix { inherit (systemd) execStart escapeSpecifiers; };
  slowMachine = import ./slow-machine.nix;
  ssh = import ./ssh.nix;

  etc =
    components:
    builtins.listToAttrs (
      map (component: {
        name = component.configPath;
        value = formats.${component.format} component.config;
      }) (configured components)
    );

  # containerd takes the first file by name.
  cniEtc =
    config:
    if config == null then { } else { "cni/net.d/10-${config.name}.conflist" = formats.json config; };

  users =
    { components, files }:
    let
      names = map (one: one.user or "root") (builtins.attrValues components ++ builtins.attrValues files);
      set = builtins.listToAttrs (
        map (name: {
          inherit name;
          value = null;
        }) names
      );
    in
    builtins.attrNames (removeAttrs set [ "root" ]);

  cniRules = import ./cni.nix;
}
