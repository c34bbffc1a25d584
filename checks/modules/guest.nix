# What only a virtual machine of ours has (modules/qemu-guest.nix).
{ lib, stub }:
let
  inherit (stub.evaluate [ ../../modules/qemu-guest.nix ]) config;
  inherit (import ../../modules/render) slowMachine;
  ofDefault = parameter: lib.hasPrefix "systemd.default_" parameter;
  limits = lib.mapAttrs (_: service: service.serviceConfig.TimeoutStartSec or null);
in
{
  # Both stages read the kernel's command line; the units with a limit of their own are in both.
  testSlowMachine = {
    expr = {
      parameters = lib.filter ofDefault config.boot.kernelParams;
      stage1 = limits config.boot.initrd.systemd.services;
      stage2 = limits (lib.getAttrs slowMachine.units config.systemd.services);
    };
    expected = {
      parameters = [
        "systemd.default_device_timeout_sec=900"
        "systemd.default_timeout_start_sec=900"
      ];
      stage1 = {
        systemd-modules-load = 900;
        systemd-sysctl = 900;
      };
      stage2 = {
        systemd-journal-flush = 900;
        systemd-modules-load = 900;
        systemd-sysctl = 900;
      };
    };
  };
  # A boot that stops gives a shell, in stage 1 and in stage 2.
  testEmergency = {
    expr = {
      stage1 = config.boot.initrd.systemd.emergencyAccess;
      stage2 = map (unit: config.systemd.services.${unit}.environment.SYSTEMD_SULOGIN_FORCE) [
        "emergency"
        "rescue"
      ];
    };
    expected = {
      stage1 = true;
      stage2 = [
        "1"
        "1"
      ];
    };
  };
  # As many kernels and initial ramdisks as GRUB keeps, and those that it writes, fit the ESP.
  testBoot = {
    expr =
      let
        generation = 100; # MB, at most
        esp = 512 * 1024 * 1024 / 1000000;
      in
      (config.boot.loader.grub.configurationLimit + 1) * generation < esp - 10;
    expected = true;
  };
  testStore = {
    expr = {
      inherit (config.nix.gc) automatic dates options;
      inherit (config.nix.settings) keep-outputs;
    };
    expected = {
      automatic = true;
      dates = "weekly";
      options = "--delete-older-than 30d";
      keep-outputs = true;
    };
  };
}
