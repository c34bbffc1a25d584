# What the nodes know of each other. Written by `hardway generate` from cluster.json: change that, not this.
#   hosts    every node's name by its address, for every node's networking.hosts
{
  hosts = {
    "10.240.0.10" = [ "alpha" ];
    "10.240.0.21" = [ "sigma" ];
    "10.240.0.22" = [ "gamma" ];
  };
}
