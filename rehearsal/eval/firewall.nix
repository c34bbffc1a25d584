# The text for `nft -f`: NixOS' firewall (its nftables form) and the tables of
# networking.nftables.tables. A table is replaced as a whole, others are left
# alone, since kube-proxy has one of its own.
{ firewall, tables }:
let
  names = builtins.attrNames;
  join = builtins.concatStringsSep ", ";
  lines = builtins.concatStringsSep "\n";
  indent = map (line: "    ${line}");
  optional = condition: line: if condition then [ line ] else [ ];

  members =
    single: ranges:
    map toString single ++ map (range: "${toString range.from}-${toString range.to}") ranges;
  accept =
    prefix: rules:
    let
      rule = protocol: list: optional (list != [ ]) "${prefix}${protocol} dport { ${join list} } accept";
    in
    rule "tcp" (members rules.allowedTCPPorts rules.allowedTCPPortRanges)
    ++ rule "udp" (members rules.allowedUDPPorts rules.allowedUDPPortRanges);
  # "default" stands for all interfaces, and among them in the order of names.
  interfaces = {
    default = firewall;
  }
  // firewall.interfaces;
  ports =
    name:
    accept (if name == "default" then "" else "iifname ${builtins.toJSON name} ") interfaces.${name};

  trusted = map builtins.toJSON (firewall.trustedInterfaces ++ [ "lo" ]);
  loose = firewall.checkReversePath == "loose";
  reversePath =
    if firewall.checkReversePath == false then
      [ ]
    else
      [
        "  chain rpfilter {"
        "    type filter hook prerouting priority mangle + 10; policy drop;"
        "    meta nfproto ipv4 udp sport . udp dport { 67 . 68, 68 . 67 } accept comment \"DHCPv4 client/server\""
        "    fib saddr . mark ${if loose then "" else ". iif "}oif exists accept"
        "    jump rpfilter-allow"
        "  }"
      ];

  own = {
    family = "inet";
    name = "nixos-fw";
    content = lines (
      reversePath
      ++ [
        "  chain rpfilter-allow {"
        "  }"
        "  chain input {"
        "    type filter hook input priority filter; policy drop;"
        "    iifname { ${join trusted} } accept comment \"trusted interfaces\""
        "    ct state vmap {"
        "      invalid : drop,"
        "      established : accept,"
        "      related : accept,"
        "      new : jump input-allow,"
        "      untracked: jump input-allow,"
        "    }"
      ]
      ++ indent (
        optional firewall.logRefusedConnections "tcp flags syn / fin,syn,rst,ack log level info prefix \"refused connection: \""
      )
      ++ [
        "  }"
        "  chain input-allow {"
      ]
      ++ indent (
        builtins.concatMap ports (names interfaces)
        ++ optional firewall.allowPing "icmp type echo-request accept comment \"allow ping\""
        ++ [
          "icmpv6 type != { nd-redirect, 139 } accept comment \"Accept all ICMPv6 messages except redirects and node information queries (type 139).  See RFC 4890, section 4.4.\""
          "ip6 daddr fe80::/64 udp dport 546 accept comment \"DHCPv6 client\""
        ]
        ++ optional (firewall.extraInputRules != "") firewall.extraInputRules
      )
      ++ [ "  }" ]
    );
  };
  table = one: ''
    table ${one.family} ${one.name}
    delete table ${one.family} ${one.name}
    table ${one.family} ${one.name} {
    ${one.content}
    }
  '';
in
lines (
  map table (
    (if firewall.enable then [ own ] else [ ])
    ++ builtins.filter (one: one.enable) (map (name: tables.${name}) (names tables))
  )
)
