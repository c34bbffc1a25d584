# Keys, certificates and kubeconfigs: which files this node reads, and who reads each.
#
# The files themselves never pass through Nix: the store is open to everyone. The
# installer puts them into the directory; hardway-pki.service gives each to its
# reader, and fails, naming the file, where one is missing.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  render = import ./render;
  file =
    { name, ... }:
    {
      options = {
        user = mkOption {
          type = types.strMatching "[a-z_][a-z0-9_-]*";
          default = "root";
          example = "etcd";
          description = "The user that owns the file.";
        };
        mode = mkOption {
          type = types.strMatching "0[0-7]{3}";
          default = render.pki.mode { } name;
          defaultText = lib.literalMD "0644 for a certificate (`*.pem`), 0600 for everything else (`*-key.pem` too)";
          example = "0600";
          description = "The file's mode.";
        };
      };
    };
in
{
  options.hardway.pki = {
    directory = mkOption {
      type = types.str;
      default = render.pki.directory;
      example = "/persist/hardway/pki";
      description = "Where the files are. A path in the machine's own file system, never one in the Nix store.";
    };
    files = mkOption {
      type = types.attrsOf (types.submodule file);
      default = { };
      example = {
        "kube-apiserver-key.pem".user = "kubernetes";
      };
      description = "Every file in `directory` that this node reads, and its reader.";
    };
  };

  config.systemd.services.hardway-pki = render.pkiService {
    inherit (config.hardway.pki) directory files;
    coreutils = "${pkgs.coreutils}";
  };
}
