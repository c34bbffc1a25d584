# A good node, which each bad one spoils in one place.
{
  hardway.node = {
    name = "sigma";
    address = "10.240.0.21";
    interface = "segment0";
  };
  systemd.network.networks."20-segment0" = {
    matchConfig.Name = "segment0";
    address = [ "10.240.0.21/24" ];
  };
  hardway.pki.files = {
    "ca.pem".user = "root";
    "etcd-key.pem".user = "etcd";
  };
  hardway.components.etcd = {
    package = "etcd";
    user = "etcd";
    readiness = "notify";
    stateDirectory = "etcd";
    requires = [ "other.service" ];
    path = [ "iproute2" ];
    flags = {
      key-file = "/var/lib/hardway/pki/etcd-key.pem";
      trusted-ca-file = "/var/lib/hardway/pki/ca.pem";
      name = "sigma";
    };
  };
}
