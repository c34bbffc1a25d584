# sigma alone. Any NixOS option may stand here.
{ lib, ... }:
{
  # One flag more: the kubelet says more in the journal.
  hardway.components.kubelet.flags.v = 4;

  # One setting more in its configuration file.
  hardway.components.kubelet.config.maxPods = 30;

  # Another value for one that hardway generated needs mkForce; null drops a flag.
  hardway.components.kubelet.config.shutdownGracePeriod = lib.mkForce "60s";
}
