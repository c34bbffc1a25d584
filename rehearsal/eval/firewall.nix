# The text for `nft -f`: NixOS' firewall (its nftables form) and the tables of
# networking.nftables.tables. A table is replaced as a whole, others are left
# alone, since kube-proxy has one of its own.
{ firewall, tables }:
let
  join = builtins.concatStringsSep;
  names = builtins.attrNames;
  lines = builtins.concatStringsSep "\n";
  indent = map (line: "    ${line}");

  set = list: "{ ${join ", " list} }";
  members =
    single: ranges:
    map toString single ++ map (range: "${toString range.from}-${toString range.to}") ranges;
  accept =
    prefix: rules:
    let
      rule =
        protocol: list: if list == [ ] then [ ] else [ "${prefix}${protocol} dport ${set list} accept" ];
    in
    rule "tcp" (members rules.allowedTCPPorts rules.allowedTCPPortRanges)
    ++ rule "udp" (members rules.allowedUDPPorts rules.allowedUDPPortRanges);

  trusted = map builtins.toJSON ([ "lo" ] ++ firewall.trustedInterfaces);
  strict = builtins.elem firewall.checkReversePath [
    true
    "strict"
  ];
  loose = firewall.checkReversePath == "loose";
  reversePath =
    if !strict && !loose then
      [ ]
    else
      [
        "  chain rpfilter {"
        "    type filter hook prerouting priority mangle + 10; policy drop;"
        "    meta nfproto ipv4 udp sport . udp dport { 67 . 68, 68 . 67 } accept"
        "    fib saddr . mark ${if strict then ". iif " else ""}oif exists accept"
        "  }"
      ];

  own = {
    family = "inet";
    name = "nixos-fw";
    content = lines (
      reversePath
      ++ [
        "  chain input {"
        "    type filter hook input priority filter; policy drop;"
        "    iifname ${set trusted} accept"
        "    ct state vmap { invalid : drop, established : accept, related : accept, new : jump input-allow, untracked : jump input-allow }"
        "  }"
        "  chain input-allow {"
      ]
      ++ indent (
        accept "" firewall
        ++ builtins.concatMap (
          name: accept "iifname ${builtins.toJSON name} " firewall.interfaces.${name}
        ) (names firewall.interfaces)
        ++ (if firewall.allowPing then [ "icmp type echo-request accept" ] else [ ])
        ++ [
          "icmpv6 type != { nd-redirect, 139 } accept"
          "ip6 daddr fe80::/64 udp dport 546 accept"
        ]
        ++ (if firewall.extraInputRules == "" then [ ] else [ firewall.extraInputRules ])
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
builtins.concatStringsSep "\n" (
  map table (
    (if firewall.enable then [ own ] else [ ])
    ++ builtins.filter (one: one.enable) (map (name: tables.${name}) (names tables))
  )
)
