# What must hold before a node is built. Each message names the node and the option.
#
# What only a virtual machine of ours must have is in qemu-guest.nix, which
# ../qemu-guest.nix imports.
{
  imports = [
    ./files.nix
    ./node.nix
    ./pki.nix
    ./ports.nix
    ./ranges.nix
  ];
}
