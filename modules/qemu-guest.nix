# What only a virtual machine of ours needs: its disk, its firmware's way in, its
# serial console and its guest agent. A real machine brings its own of each.
{
  lib,
  modulesPath,
  pkgs,
  ...
}:
let
  arm = pkgs.stdenv.hostPlatform.isAarch64;
  console = if arm then "ttyAMA0" else "ttyS0";
  loader = if arm then "BOOTAA64.EFI" else "BOOTX64.EFI";
in
{
  # virtio's drivers in the initial ramdisk.
  imports = [
    (modulesPath + "/profiles/qemu-guest.nix")
    ./assertions/qemu-guest.nix
  ];

  # The installer makes these two by label, whatever the disk is called.
  fileSystems."/" = {
    device = "/dev/disk/by-label/nixos";
    fsType = "ext4";
  };
  fileSystems."/boot" = {
    device = "/dev/disk/by-label/ESP";
    fsType = "vfat";
    options = [ "umask=0077" ];
  };

  # The firmware's boot order lives in a file beside the disk that may be lost or
  # made anew, so nothing is written to it: GRUB stands where every UEFI looks by
  # itself, and startup.nsh starts it from the UEFI shell where one comes first.
  boot.loader.efi.canTouchEfiVariables = false;
  boot.loader.grub = {
    enable = true;
    device = "nodev";
    efiSupport = true;
    efiInstallAsRemovable = true;
    extraFiles."startup.nsh" = pkgs.writeText "startup.nsh" "FS0:\\EFI\\BOOT\\${loader}\r\n";
    # Text, not graphics: the firmware's console is the serial port.
    font = null;
    splashImage = null;
  };
  boot.loader.timeout = lib.mkDefault 1;

  # The last console is the one that systemd and the login speak on.
  boot.kernelParams = [
    "console=tty0"
    "console=${console},115200n8"
  ];

  # An emulated machine may need minutes until a device is there; after systemd's own
  # 90 seconds it would boot without its console, or without /boot into an emergency shell.
  environment.etc."systemd/system.conf.d/slow-machine.conf".text = ''
    [Manager]
    DefaultDeviceTimeoutSec=15min
  '';

  services.qemuGuest.enable = true;
  # The agent's own output, without the emulator.
  services.qemuGuest.package = lib.getOutput "ga" pkgs.qemu_kvm;

  # No password to know, none to leak: who can open the serial console owns the
  # disk's file anyway, and over the network only the cluster's own key lets anyone in (hardway.ssh).
  services.getty.autologinUser = lib.mkDefault "root";

  # A node is changed by `nixos-rebuild --flake /etc/hardway` and is small: no manuals.
  nix.settings.experimental-features = [
    "nix-command"
    "flakes"
  ];
  documentation.enable = lib.mkDefault false;
}
