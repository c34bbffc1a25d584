# What hardware there is: a disk, a loader, and two network cards, whose MAC
# addresses take the place of those of the virtual machine.
{ lib, ... }:
{
  boot.loader.systemd-boot.enable = true;
  fileSystems."/" = {
    device = "/dev/disk/by-label/nixos";
    fsType = "ext4";
  };
  fileSystems."/boot" = {
    device = "/dev/disk/by-label/ESP";
    fsType = "vfat";
  };

  systemd.network.links."10-uplink0".matchConfig.MACAddress = lib.mkForce "02:00:5e:10:00:01";
  systemd.network.links."10-segment0".matchConfig.MACAddress = lib.mkForce "02:00:5e:10:00:02";

  # This machine swaps, which its kubelet must be told.
  swapDevices = [ { device = "/dev/disk/by-label/swap"; } ];
  hardway.components.kubelet.config.failSwapOn = lib.mkForce false;

  # The cluster's own ssh key is for virtual machines: here only whom you name comes in.
  hardway.ssh.enable = lib.mkForce false;
  services.openssh.enable = true;
  services.openssh.settings.PasswordAuthentication = false;
}
