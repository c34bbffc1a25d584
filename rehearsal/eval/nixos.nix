# What NixOS sets on every node by itself, where it shows on a node. checks/expected-test
# compares the result with what NixOS' own modules make.
{
  # networking.hosts, beside localhost.
  hosts = hostName: {
    "127.0.0.2" = [ hostName ];
    "::1" = [ hostName ];
  };

  # boot.kernel.sysctl. A module's own value counts more.
  sysctl = {
    "kernel.kptr_restrict" = 1;
    "kernel.pid_max" = 4194304;
    "kernel.poweroff_cmd" = "/usr/sbin/poweroff";
    "kernel.printk" = 4;
    "net.ipv4.conf.all.forwarding" = false;
    "net.ipv4.ping_group_range" = "0 2147483647";
    "net.ipv6.conf.all.disable_ipv6" = false;
    "net.ipv6.conf.default.disable_ipv6" = false;
    "net.ipv6.conf.default.use_tempaddr" = "2";
    "vm.max_map_count" = 1048576;
  };
}
