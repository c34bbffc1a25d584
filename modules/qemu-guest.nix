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
  inherit (import ./render) slowMachine;
  patient =
    units:
    lib.genAttrs units (_: {
      inherit (slowMachine) serviceConfig;
    });
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
    # The ESP has 512 MiB. A generation puts its kernel and its initial ramdisk there unless
    # they are those of another one: 60 to 100 MB. While a fifth generation is written the four
    # before it are still there, so five of them must fit.
    configurationLimit = 4;
  };
  boot.loader.timeout = lib.mkDefault 1;

  # The last console is the one that systemd and the login speak on.
  boot.kernelParams = [
    "console=tty0"
    "console=${console},115200n8"
  ]
  ++ slowMachine.kernelParams;

  # Where a boot stops, the console gets a shell and asks for no password: there is none to
  # know, so root would be locked out. This gives away nothing: who can open the console owns
  # the disk's file, and is logged in as root by every boot that does not stop.
  boot.initrd.systemd.emergencyAccess = true;
  boot.initrd.systemd.services = patient slowMachine.unitsOfStage1;
  systemd.services =
    patient slowMachine.units
    // lib.genAttrs [ "emergency" "rescue" ] (_: {
      environment.SYSTEMD_SULOGIN_FORCE = "1";
    });

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
  # Updates would fill the disk. The generation that was current 30 days ago, and all since,
  # stay: `hardway apply` goes back to one that was current minutes ago. What was built with
  # stays too, so that a node changes without a network after a collection as before.
  nix.gc = {
    automatic = true;
    dates = "weekly";
    randomizedDelaySec = "1h"; # not while the node starts, where a week was missed
    options = "--delete-older-than 30d";
  };
  nix.settings.keep-outputs = true;
  documentation.enable = lib.mkDefault false;
}
