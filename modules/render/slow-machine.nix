# How long systemd waits on a machine that may be slow. An emulated one needs minutes for
# what takes a second elsewhere, and after systemd's own 90 seconds it would boot without
# its console, or into an emergency shell. Nix can't tell whether a machine is emulated, so
# these hold always: a limit that is not reached costs nothing.
{
  # systemd reads both on the kernel's command line, in stage 1 (the initial ramdisk) and in
  # stage 2 alike (kernel-command-line(7)). A file would be needed once for each stage, and
  # NixOS' options for stage 1's have changed their names since 2024.
  kernelParams = [
    "systemd.default_device_timeout_sec=900" # devices, and so the mount of /
    "systemd.default_timeout_start_sec=900" # mounts, sockets and services
  ];

  # These bring 90 seconds of their own, which no default changes; the first two run in
  # stage 1 too.
  units = [
    "systemd-modules-load"
    "systemd-sysctl"
    "systemd-journal-flush"
  ];
  unitsOfStage1 = [
    "systemd-modules-load"
    "systemd-sysctl"
  ];
  serviceConfig.TimeoutStartSec = 900;
}
