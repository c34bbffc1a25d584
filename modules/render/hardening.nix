# What systemd denies a component, where nothing else is said: a component with a
# user of its own (etcd, the control plane) only talks over sockets, reads its files
# and writes its state directory, so it gets nothing else. One that runs as root
# mounts, enters namespaces or writes firewall rules: only its own author knows what
# it can do without, and says so in `hardening`.
component:
if component.user or "root" == "root" then
  { }
else
  {
    CapabilityBoundingSet = "";
    LockPersonality = true;
    MemoryDenyWriteExecute = true;
    NoNewPrivileges = true;
    PrivateDevices = true;
    PrivateTmp = true;
    PrivateUsers = true;
    ProtectClock = true;
    ProtectControlGroups = true;
    ProtectHome = true;
    ProtectHostname = true;
    ProtectKernelLogs = true;
    ProtectKernelModules = true;
    ProtectKernelTunables = true;
    ProtectProc = "invisible";
    ProtectSystem = "strict";
    RemoveIPC = true;
    RestrictAddressFamilies = "AF_INET AF_INET6 AF_NETLINK AF_UNIX";
    RestrictNamespaces = true;
    RestrictRealtime = true;
    RestrictSUIDSGID = true;
    SystemCallArchitectures = "native";
    # A call that is not in the list fails; the program is not killed for it.
    SystemCallErrorNumber = "EPERM";
    SystemCallFilter = [
      "@system-service"
      "~@privileged @resources"
    ];
    UMask = "0077";
  }
