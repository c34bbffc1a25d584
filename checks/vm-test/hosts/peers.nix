# What the nodes know of each other. Written by `hardway generate` from cluster.json: change that, not this.
#   hosts    every node's name by its address, for every node's networking.hosts
#   routes   to each worker's Pods, through that worker; each worker leaves out its own
{
  hosts = {
    "10.240.0.10" = [ "alpha" ];
    "10.240.0.21" = [ "sigma" ];
    "10.240.0.22" = [ "gamma" ];
  };
  routes = {
    gamma = {
      Destination = "10.200.22.0/24";
      Gateway = "10.240.0.22";
    };
    sigma = {
      Destination = "10.200.21.0/24";
      Gateway = "10.240.0.21";
    };
  };
}
