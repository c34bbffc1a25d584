# Which packages a node's flags go with (modules/versions.nix): the very words are compared.
{ lib, ... }:
let
  package = name: version: {
    type = "derivation";
    inherit name version;
    outPath = "/pkg/${name}-${version}";
  };
  anything =
    default:
    lib.mkOption {
      type = lib.types.anything;
      inherit default;
    };

  # The node with these packages (by component) and this module beside.
  evaluated =
    packages: module:
    (lib.evalModules {
      modules = [
        ../../modules/versions.nix
        {
          options = {
            assertions = lib.mkOption { type = lib.types.listOf lib.types.unspecified; };
            warnings = lib.mkOption { type = lib.types.listOf lib.types.str; };
            networking.hostName = anything "sigma";
            hardway.node.name = anything null;
            hardway.components = lib.mkOption {
              type = lib.types.attrsOf (
                lib.types.submodule (
                  { name, ... }:
                  {
                    options = {
                      enable = anything true;
                      command = anything name;
                      package = anything null;
                    };
                  }
                )
              );
            };
          };
          config.hardway = {
            components = lib.mapAttrs (_: package: { inherit package; }) packages;
            versions = {
              containerd = "2.2";
              etcd = "3.6";
              kubernetes = "1.36";
            };
          };
        }
        module
      ];
    }).config;
  complaints =
    packages: module:
    map (one: one.message) (lib.filter (one: !one.assertion) (evaluated packages module).assertions);
in
{
  testSameMinor = {
    expr = complaints {
      containerd = package "containerd" "2.2.4";
      etcd = package "etcd" "3.6.12";
      kube-proxy = package "kubernetes" "v1.36.9";
      kubelet = package "kubernetes" "1.36.0-rc.1";
    } { };
    expected = [ ];
  };
  testOtherKubernetes = {
    expr = complaints { kubelet = package "kubernetes" "1.35.4"; } { };
    expected = [
      "sigma: hardway.components.kubelet.package is kubernetes 1.35, but its flags are those of kubernetes 1.36 (hardway.versions.kubernetes). Set kubernetesVersion in cluster.json to 1.35 and run `hardway generate`, or hardway.components.kubelet.package to a package of kubernetes 1.36."
    ];
  };
  testOtherEtcdAndContainerd = {
    expr = complaints {
      containerd = package "containerd" "1.7.27";
      etcd = package "etcd" "3.5.16";
    } { };
    expected = [
      "sigma: hardway.components.containerd.package is containerd 1.7, but its flags are those of containerd 2.2 (hardway.versions.containerd). Set hardway.components.containerd.package to containerd 2.2, or to a newer 2.x."
      "sigma: hardway.components.etcd.package is etcd 3.5, but its flags are those of etcd 3.6 (hardway.versions.etcd). Set hardway.components.etcd.package to etcd 3.6, or to a newer 3.x."
    ];
  };
  # A nixpkgs of next month may have a newer containerd: no reason to install nothing.
  testNewerEtcdAndContainerd =
    let
      packages = {
        containerd = package "containerd" "2.3.5";
        etcd = package "etcd" "3.7.0";
      };
    in
    {
      expr = {
        refused = complaints packages { };
        warned = (evaluated packages { }).warnings;
      };
      expected = {
        refused = [ ];
        warned = [
          "sigma: hardway.components.containerd.package is containerd 2.3, but its flags are those of containerd 2.2 (hardway.versions.containerd). containerd keeps its flags within a major release, so it should work. To check, run `hardway lint --against DIR`, where DIR is the package's bin folder; to accept it, set hardway.versions.containerd = lib.mkForce \"2.3\" in a module of your own."
          "sigma: hardway.components.etcd.package is etcd 3.7, but its flags are those of etcd 3.6 (hardway.versions.etcd). etcd keeps its flags within a major release, so it should work. To check, run `hardway lint --against DIR`, where DIR is the package's bin folder; to accept it, set hardway.versions.etcd = lib.mkForce \"3.7\" in a module of your own."
        ];
      };
    };
  testNewerKubernetesIsRefused = {
    expr = lib.length (complaints { kubelet = package "kubernetes" "1.37.0"; } { });
    expected = 1;
  };
  testNewerMajorIsRefused = {
    expr = lib.length (complaints { containerd = package "containerd" "3.0.0"; } { });
    expected = 1;
  };
  # The major.minor is compared as a whole: 1.3 is not 1.36.
  testShorterMinor = {
    expr = lib.length (complaints { kubelet = package "kubernetes" "1.3.6"; } { });
    expected = 1;
  };
  testWhatIsNotRunIsNotCompared = {
    expr = complaints {
      kubelet = package "kubernetes" "1.35.4";
    } { hardway.components.kubelet.enable = false; };
    expected = [ ];
  };
  testWhatCannotBeCompared = {
    expr = complaints {
      kubelet = package "kubernetes" "99";
      etcd = removeAttrs (package "etcd" "3.5.0") [ "version" ];
      other = package "other" "0.1";
    } { };
    expected = [ ];
  };
  testNoVersionsAsked = {
    expr = complaints { kubelet = package "kubernetes" "1.35.4"; } {
      hardway.versions.kubernetes = lib.mkForce null;
    };
    expected = [ ];
  };
}
