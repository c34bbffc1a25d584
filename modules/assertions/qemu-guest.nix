# What a virtual machine of ours must have besides: its firmware is UEFI, and keeps
# no boot entry that it could lose.
{ config, lib, ... }:
let
  inherit (import ./common.nix { inherit config lib; }) node;
  inherit (config.boot.loader) grub;
in
{
  assertions = [
    {
      assertion = grub.enable -> grub.efiSupport;
      message = "${node}: boot.loader.grub.efiSupport is false, but the machine's firmware is UEFI and starts nothing else.";
    }
    {
      assertion = grub.enable -> grub.efiInstallAsRemovable;
      message = "${node}: boot.loader.grub.efiInstallAsRemovable is false, but the firmware finds a loader at the removable path alone (EFI/BOOT): its boot entries are not kept.";
    }
  ];
}
