# sigma alone: its kubelet says more in the journal. Any NixOS option may stand here.
{ ... }:
{
  hardway.components.kubelet.flags.v = 4;
}
