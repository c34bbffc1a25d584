# The whole of it: what makes a machine a Kubernetes node, and what only a virtual
# machine needs. A machine of one's own imports ./components.nix alone.
{
  imports = [
    ./components.nix
    ./qemu-guest.nix
  ];
}
