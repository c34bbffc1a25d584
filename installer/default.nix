# A live medium of our own, for `hardway up --iso`: NixOS' minimal installer, which
# also speaks on the serial console and answers QEMU's guest agent. One for each
# architecture: installer-x86_64 and installer-aarch64.
#
#     nix build .#nixosConfigurations.installer-x86_64.config.system.build.isoImage
{ nixpkgs }:
let
  installer =
    {
      lib,
      modulesPath,
      pkgs,
      ...
    }:
    {
      imports = [
        (modulesPath + "/installer/cd-dvd/installation-cd-minimal.nix")
        (modulesPath + "/profiles/qemu-guest.nix")
      ];

      # The last console is the one that systemd and the login speak on; there the
      # profile of every installer logs `nixos` in.
      boot.kernelParams = [
        "console=tty0"
        "console=${if pkgs.stdenv.hostPlatform.isAarch64 then "ttyAMA0" else "ttyS0"},115200n8"
      ]
      ++ (import ../modules/render).slowMachine.kernelParams;
      services.qemuGuest.enable = true;
      # The agent's own output, without the emulator.
      services.qemuGuest.package = lib.getOutput "ga" pkgs.qemu_kvm;

      # A node's disk is ext4, and ZFS a kernel module to build and carry.
      boot.supportedFilesystems.zfs = lib.mkForce false;
    };
in
nixpkgs.lib.mapAttrs'
  (arch: system: {
    name = "installer-${arch}";
    value = nixpkgs.lib.nixosSystem {
      modules = [
        { nixpkgs.hostPlatform = system; }
        installer
      ];
    };
  })
  {
    aarch64 = "aarch64-linux";
    x86_64 = "x86_64-linux";
  }
