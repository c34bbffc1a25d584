# A merged configuration -> what nixos-install writes, as data:
#
#   hostName   string
#   system     x86_64-linux or aarch64-linux
#   files      { "/etc/…" = { text | source, mode, user, group }; }
#   links      { "/path" = "its target"; }
#   users      [ name ]: system users, each with a group of its name
#   packages   [ path ]: what of the medium must be copied
#   masked     [ unit ]
#   restarts   { unit = [ "/etc/…" ]; }: files that a unit changes with, and so is restarted
#   reloads    the same, for a unit that reads them again while it runs
{
  config,
  render,
  packages,
  medium,
}:
let
  inherit (builtins)
    attrNames
    concatMap
    concatStringsSep
    filter
    listToAttrs
    mapAttrs
    ;
  ini = import ./ini.nix;
  nixos = import ./nixos.nix;
  ssh = import ./ssh.nix { inherit render; };
  mapNames =
    f: set:
    listToAttrs (
      map (name: {
        name = f name;
        value = set.${name};
      }) (attrNames set)
    );
  filterSet =
    f: set:
    listToAttrs (
      concatMap (
        name:
        if f set.${name} then
          [
            {
              inherit name;
              value = set.${name};
            }
          ]
        else
          [ ]
      ) (attrNames set)
    );
  unless = condition: value: if condition then { } else value;
  plain = text: {
    inherit text;
    mode = "0644";
    user = "root";
    group = "root";
  };
  lines = list: concatStringsSep "\n" (list ++ [ "" ]);

  # Names of one address are in one line, a module's own first.
  hosts =
    let
      given = config.networking.hosts;
    in
    given
    // mapAttrs (address: own: given.${address} or [ ] ++ own) (nixos.hosts config.networking.hostName);
  # A node is a virtual machine of ours, so this file stands in for modules/qemu-guest.nix too:
  # kernel parameters and settings of units are laid out here; disk, boot loader, guest agent
  # and consoles are the Debian root's (../medium, ../nixos-install). These of its settings have
  # no meaning here: GRUB's configurationLimit (one menu entry, one kernel), nix.gc and
  # nix.settings (no store to collect), and boot.initrd.systemd (no systemd in the initrd).
  overrides =
    settings: units:
    listToAttrs (
      map (unit: {
        name = "systemd/system/${unit}.service.d/overrides.conf";
        value = plain (
          ini.ini [
            {
              name = "Service";
              inherit settings;
            }
          ]
        );
      }) units
    );
  guest =
    overrides render.slowMachine.serviceConfig render.slowMachine.units
    // overrides { Environment = "SYSTEMD_SULOGIN_FORCE=1"; } [
      "emergency"
      "rescue"
    ];

  components = filterSet (component: component.enable) config.hardway.components;
  services = filterSet (service: service.enable) config.systemd.services;
  clash = filter (name: components ? ${name}) (attrNames services);
  packageOf = name: packages.pathOf "hardway.components.${name}.package" components.${name}.package;
  pathsOf = option: map (packages.pathOf option);

  # None where the component has no such check.
  waitForOf =
    name: check:
    if check.command == null then
      null
    else
      packages.pathOf "hardway.components.${name}.waitFor.package" check.package;

  componentService =
    name: component:
    let
      service = render.service {
        inherit name component;
        packagePath = packageOf name;
        waitForPath = waitForOf name component.waitFor;
      };
    in
    service
    // {
      environment = service.environment // {
        PATH = packages.searchPath (pathsOf "hardway.components.${name}.path" component.path);
      };
    };
  componentUnits = mapAttrs (
    name: component: render.unitText (componentService name component)
  ) components;
  pkiUnit = render.unitText (
    render.pkiService {
      inherit (config.hardway.pki) directory;
      files = mapAttrs (
        _: one: if one.mode == null then removeAttrs one [ "mode" ] else one
      ) config.hardway.pki.files;
    }
  );

  script = name: "/etc/rehearsal/scripts/${name}-start";
  serviceUnits = mapAttrs (
    name: service:
    ini.unit (
      service
      // {
        environment = {
          PATH = packages.searchPath (pathsOf "systemd.services.${name}.path" service.path);
        }
        // service.environment;
        serviceConfig = unless (service.script == "") { ExecStart = script name; } // service.serviceConfig;
      }
    )
  ) services;

  # The medium's own stand in for a registry. Only where containers run.
  imagesUnit = render.unitText (
    render.imagesService {
      images = config.hardway.images ++ [ medium.images ];
      containerd = packageOf "containerd";
    }
  );
  hasContainers = components ? containerd;

  units =
    componentUnits
    // serviceUnits
    // {
      hardway-pki = pkiUnit;
    }
    // unless (!hasContainers) { hardway-images = imagesUnit; };
  wanted =
    map
      (name: {
        inherit name;
        target = "multi-user.target";
        kind = "wants";
      })
      (attrNames components ++ [ "hardway-pki" ] ++ (if hasContainers then [ "hardway-images" ] else [ ]))
    ++ concatMap (
      name:
      map (target: {
        inherit name target;
        kind = "wants";
      }) services.${name}.wantedBy
      ++ map (target: {
        inherit name target;
        kind = "requires";
      }) services.${name}.requiredBy
    ) (attrNames services);

  etcFile =
    name: file:
    if (file.text == null) == (file.source == null) then
      throw "rehearsal: environment.etc.${builtins.toJSON name} needs either text or source"
    else
      {
        inherit (file) user group;
        mode = if file.mode == "symlink" then "0644" else file.mode;
      }
      // (if file.text != null then { inherit (file) text; } else { source = toString file.source; });
  etc =
    mapAttrs etcFile (filterSet (file: file.enable) config.environment.etc)
    // mapAttrs (_: plain) (render.etc components)
    // mapAttrs (_: plain) (render.cniEtc config.hardway.cni.config)
    // mapAttrs (_: plain) (ssh.etc config.hardway.ssh)
    // guest
    // mapAttrs (_: plain) {
      hostname = config.networking.hostName + "\n";
      hosts =
        lines (
          [
            "127.0.0.1 localhost"
            "::1 localhost"
          ]
          ++ map (address: "${address} ${toString hosts.${address}}") (attrNames hosts)
        )
        + config.networking.extraHosts;
      "modules-load.d/nixos.conf" = lines config.boot.kernelModules;
      "modprobe.d/nixos.conf" = config.boot.extraModprobeConfig;
      "sysctl.d/60-nixos.conf" = lines (
        map (name: "${name}=${sysctl config.boot.kernel.sysctl.${name}}") (
          filter (name: config.boot.kernel.sysctl.${name} != null) (attrNames config.boot.kernel.sysctl)
        )
      );
      "tmpfiles.d/nixos.conf" = lines (
        (
          if config.hardway.cni.plugins == null then
            [ ]
          else
            render.cniRules { inherit (config.hardway.cni) plugins; }
        )
        ++ config.systemd.tmpfiles.rules
      );
      "nftables.conf" = import ./firewall.nix {
        inherit (config.networking) firewall;
        inherit (config.networking.nftables) tables;
      };
      "systemd/networkd.conf" = ini.ini [
        {
          name = "Network";
          settings = config.systemd.network.config.networkConfig;
        }
      ];
    }
    // mapNames (name: "systemd/network/${name}.link") (
      mapAttrs (
        _: link:
        plain (
          ini.ini [
            {
              name = "Match";
              settings = link.matchConfig;
            }
            {
              name = "Link";
              settings = link.linkConfig;
            }
          ]
        )
      ) config.systemd.network.links
    )
    // mapNames (name: "systemd/network/${name}.network") (
      mapAttrs (
        _: network:
        plain (
          ini.ini (
            [
              {
                name = "Match";
                settings = network.matchConfig;
              }
              {
                name = "Link";
                settings = network.linkConfig;
              }
              {
                name = "Network";
                settings =
                  network.networkConfig
                  // unless (network.address == [ ]) { Address = network.address; }
                  // unless (network.gateway == [ ]) { Gateway = network.gateway; }
                  // unless (network.dns == [ ]) { DNS = network.dns; };
              }
              {
                name = "DHCPv4";
                settings = network.dhcpV4Config;
              }
            ]
            ++ map (settings: {
              name = "Route";
              inherit settings;
            }) network.routes
          )
        )
      ) config.systemd.network.networks
    )
    // mapNames (name: "systemd/system/${name}.service") (mapAttrs (_: plain) units)
    // mapNames (name: "rehearsal/scripts/${name}-start") (
      mapAttrs (_: service: plain "#!/bin/bash\nset -e\n${service.script}\n" // { mode = "0755"; }) (
        filterSet (service: service.script != "") services
      )
    );
  etcFiles =
    pattern:
    map (name: "/etc/${name}") (filter (name: builtins.match pattern name != null) (attrNames etc));
  sysctl = value: if builtins.isBool value then (if value then "1" else "0") else toString value;

  used =
    map packageOf (attrNames components)
    ++ concatMap (name: pathsOf "hardway.components.${name}.path" components.${name}.path) (
      attrNames components
    )
    ++ concatMap (name: pathsOf "systemd.services.${name}.path" services.${name}.path) (
      attrNames services
    )
    ++ pathsOf "environment.systemPackages" config.environment.systemPackages
    ++ pathsOf "system.extraDependencies" config.system.extraDependencies;
  unique =
    list:
    attrNames (
      listToAttrs (
        map (name: {
          inherit name;
          value = null;
        }) list
      )
    );
in
assert
  clash == [ ]
  || throw "rehearsal: systemd.services.${builtins.head clash} is a component's unit; set hardway.components.${builtins.head clash} instead";
{
  inherit (config.networking) hostName;
  system = config.nixpkgs.hostPlatform;
  kernelParams = render.slowMachine.kernelParams ++ config.boot.kernelParams;
  files = mapNames (name: "/etc/${name}") (filterSet (file: file.text or null != "") etc);
  links =
    listToAttrs (
      map (one: {
        name = "/etc/systemd/system/${one.target}.${one.kind}/${one.name}.service";
        value = "/etc/systemd/system/${one.name}.service";
      }) wanted
    )
    // ssh.links config.hardway.ssh;
  users = render.users {
    inherit components;
    inherit (config.hardway.pki) files;
  };
  packages =
    filter packages.isOnMedium (unique used)
    ++ (
      if hasContainers || builtins.elem (medium.packages.containerd or null) used then
        [ medium.images ]
      else
        [ ]
    );
  # As NixOS has them: a component when its configuration file changes, and systemd's own
  # services that read what NixOS writes. networkd reads .network files again, and no others.
  restarts =
    mapNames (name: "${name}.service") (
      mapAttrs (_: component: [ "/etc/${component.configPath}" ]) (
        filterSet (component: component.configPath != null) components
      )
    )
    // {
      "systemd-modules-load.service" = [ "/etc/modules-load.d/nixos.conf" ];
      "systemd-networkd.service" = etcFiles "systemd/(networkd[.]conf|network/.*[.]link)";
      "systemd-sysctl.service" = [ "/etc/sysctl.d/60-nixos.conf" ];
    };
  reloads = {
    "nftables.service" = [ "/etc/nftables.conf" ];
    "systemd-networkd.service" = etcFiles "systemd/network/.*[.]network";
  };
  masked = concatMap (one: if one.enable then [ ] else [ one.unit ]) [
    {
      inherit (config.services.resolved) enable;
      unit = "systemd-resolved.service";
    }
    {
      inherit (config.services.timesyncd) enable;
      unit = "systemd-timesyncd.service";
    }
  ];
}
