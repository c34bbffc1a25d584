# Every option that the rehearsal knows. What is not here is an error, so that
# nothing of a host module or of a user's own module is skipped without a word.
{ render }:
let
  lib = import ./lib.nix;
  nixos = import ./nixos.nix;
  types = import ./types.nix;
  inherit (types)
    attrsOf
    bool
    enum
    file
    lines
    listOf
    nullOr
    only
    package
    port
    set
    str
    strMatching
    value
    withDefault
    ;
  yes = withDefault true bool;
  no = withDefault false bool;
  text = withDefault "" str;
  texts = withDefault "" lines;
  # The name in attrsOf of what the option belongs to.
  owner = path: builtins.elemAt path (builtins.length path - 2);

  scalar = {
    name = "null, true, false, a whole number or a string";
    check =
      given: given == null || builtins.isBool given || builtins.isInt given || builtins.isString given;
    merge = types.same;
  };
  portRange = {
    name = "{ from, to }";
    check =
      range:
      builtins.isAttrs range
      &&
        builtins.attrNames range == [
          "from"
          "to"
        ];
    merge = types.same;
  };
  ports = {
    allowedTCPPorts = listOf port;
    allowedTCPPortRanges = listOf portRange;
    allowedUDPPorts = listOf port;
    allowedUDPPortRanges = listOf portRange;
  };
  # A section of a networkd file, or a whole one where there may be several.
  section = attrsOf value;
  userName = strMatching "[a-z_][a-z0-9_-]*";

  component = set {
    enable = yes;
    description = withDefault owner str;
    inherit package;
    command = withDefault owner str;
    arguments = listOf str;
    flags = attrsOf value;
    config = attrsOf value;
    configPath = nullOr (strMatching "[^/].*");
    format = withDefault "yaml" (enum [
      "json"
      "yaml"
      "toml"
    ]);
    path = listOf package;
    environment = attrsOf str;
    after = listOf str;
    requires = listOf str;
    user = withDefault "root" userName;
    readiness = withDefault "exec" (enum [
      "notify"
      "exec"
    ]);
    waitFor = set {
      package = nullOr package;
      command = nullOr str;
      arguments = listOf str;
    };
    stateDirectory = nullOr (strMatching "[^/].*");
    stateDirectoryMode = nullOr (strMatching "0[0-7]{3}");
    delegate = no;
    hardening = attrsOf value // {
      given = component: builtins.mapAttrs (_: lib.mkDefault) (render.hardening component);
    };
    ports = listOf port;
  };

  service = set {
    enable = yes;
    description = text;
    after = listOf str;
    before = listOf str;
    bindsTo = listOf str;
    conflicts = listOf str;
    reloadIfChanged = no;
    restartIfChanged = yes;
    stopIfChanged = yes;
    partOf = listOf str;
    requiredBy = listOf str;
    requires = listOf str;
    wantedBy = listOf str;
    wants = listOf str;
    environment = attrsOf str;
    path = listOf package;
    script = texts;
    serviceConfig = attrsOf value;
    unitConfig = attrsOf value;
  };
in
set {
  boot = set {
    extraModprobeConfig = texts;
    kernel = set {
      sysctl = attrsOf scalar // {
        given = _: builtins.mapAttrs (_: lib.mkDefault) nixos.sysctl;
      };
    };
    kernelModules = listOf str;
    kernelParams = listOf str;
  };
  environment = set {
    etc = attrsOf (set {
      enable = yes;
      text = nullOr lines;
      source = nullOr file;
      mode = withDefault "symlink" (strMatching "symlink|0[0-7]{3}");
      user = withDefault "root" str;
      group = withDefault "root" str;
    });
    systemPackages = listOf package;
  };
  hardway = set {
    cni = set {
      plugins = nullOr (listOf str);
      config = nullOr value;
    };
    components = attrsOf component;
    images = listOf (strMatching "/.*");
    node = set {
      name = nullOr str;
      role = nullOr (enum [
        "control-plane"
        "worker"
      ]);
      address = nullOr str;
      interface = nullOr str;
      podCIDR = nullOr str;
    };
    pki = set {
      directory = withDefault "/var/lib/hardway/pki" str;
      files = attrsOf (set {
        user = withDefault "root" userName;
        mode = nullOr (strMatching "0[0-7]{3}");
      });
    };
    ssh = set {
      enable = no;
      interface = nullOr str;
      hostKey = nullOr (strMatching "/.*");
      authorizedKeys = nullOr (strMatching "/.*");
    };
    versions = set {
      containerd = nullOr str;
      etcd = nullOr str;
      kubernetes = nullOr str;
    };
  };
  networking = set {
    extraHosts = texts;
    firewall = set (
      ports
      // {
        enable = yes;
        allowPing = yes;
        checkReversePath = withDefault true (enum [
          true
          false
          "strict"
          "loose"
        ]);
        extraInputRules = texts;
        interfaces = attrsOf (set ports);
        logRefusedConnections = yes;
        trustedInterfaces = listOf str;
      }
    );
    hostName = withDefault "nixos" str;
    hosts = attrsOf (listOf str);
    nftables = set {
      enable = only true;
      tables = attrsOf (set {
        enable = yes;
        name = withDefault owner str;
        family = enum [
          "ip"
          "ip6"
          "inet"
          "arp"
          "bridge"
          "netdev"
        ];
        content = lines;
      });
    };
    useDHCP = only false;
    useNetworkd = only true;
  };
  nixpkgs = set {
    hostPlatform = enum [
      "x86_64-linux"
      "aarch64-linux"
    ];
  };
  services = set {
    resolved = set { enable = no; };
    timesyncd = set { enable = yes; };
  };
  system = set {
    extraDependencies = listOf package;
    stateVersion = str;
  };
  systemd = set {
    network = set {
      config = set { networkConfig = section; };
      links = attrsOf (set {
        matchConfig = section;
        linkConfig = section;
      });
      networks = attrsOf (set {
        matchConfig = section;
        linkConfig = section;
        networkConfig = section;
        dhcpV4Config = section;
        address = listOf str;
        dns = listOf str;
        gateway = listOf str;
        routes = listOf {
          name = "an attribute set of a route's settings";
          check = builtins.isAttrs;
        };
      });
      wait-online = set { enable = only false; };
    };
    services = attrsOf service;
    tmpfiles = set { rules = listOf str; };
  };
}
