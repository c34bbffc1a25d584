# Every node of the cluster. Written by `hardway generate` from cluster.json: change that, not this.
#   role     control-plane or worker
#   module   what hardway generated for the node
#   modules  the user's own NixOS modules for it
{
  alpha = {
    module = ./alpha;
    modules = [ ];
    role = "control-plane";
  };
  gamma = {
    module = ./gamma;
    modules = [ ];
    role = "worker";
  };
  sigma = {
    module = ./sigma;
    modules = [ ];
    role = "worker";
  };
}
