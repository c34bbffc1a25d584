# The index of hosts/ that `hardway generate` writes for ./cluster.json, on the
# default cluster's own modules.
let
  hosts = import ../../../hosts;
in
hosts
// {
  sigma = hosts.sigma // {
    modules = [ ./sigma.nix ];
  };
}
