# hardway.images -> hardway-images.service: images without a registry.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.hardway;
in
{
  options.hardway.images = lib.mkOption {
    type = lib.types.listOf lib.types.path;
    default = [ ];
    example = lib.literalExpression ''
      [
        (pkgs.dockerTools.pullImage { … })  # fetched when the machine is built
        "/var/lib/images/pause.tar"         # a file of the machine's own
      ]
    '';
    description = ''
      Container images to put into containerd before the kubelet starts: tar archives, as
      `docker save`, `skopeo copy … oci-archive:` and `pkgs.dockerTools` write them. Done once for a
      list of files: one that changes needs another name (in the store it has one). The kubelet
      never removes them.
    '';
  };

  config.systemd.services = lib.mkIf (cfg.images != [ ]) {
    hardway-images = (import ./render).imagesService {
      images = map (image: "${image}") cfg.images;
      containerd = "${cfg.components.containerd.package}";
      coreutils = "${pkgs.coreutils}";
    };
  };
}
