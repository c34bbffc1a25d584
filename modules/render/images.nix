# hardway-images.service: puts container images from files into containerd, so that
# the kubelet finds them without a registry.
#
# Done once for a list of files: the mark is beside what was made, and goes with it.
{ execLine }:
{
  images,
  containerd,
  coreutils ? "/usr",
}:
let
  mark = "/var/lib/containerd/hardway-images-${
    builtins.substring 0 16 (builtins.hashString "sha256" (builtins.concatStringsSep "\n" images))
  }";
in
{
  description = "hardway-images: puts container images from files into containerd, in place of a registry";
  after = [ "containerd.service" ];
  requires = [ "containerd.service" ];
  before = [ "kubelet.service" ];
  wantedBy = [ "multi-user.target" ];
  environment = { };
  unitConfig.ConditionPathExists = "!${mark}";
  serviceConfig = {
    Type = "oneshot";
    RemainAfterExit = true;
    # Pinned: the kubelet throws away no image that nobody could pull again.
    ExecStart =
      map (
        image:
        execLine [
          "${containerd}/bin/ctr"
          "--namespace=k8s.io"
          "images"
          "import"
          "--label=io.cri-containerd.pinned=pinned"
          image
        ]
      ) images
      ++ [
        (execLine [
          "${coreutils}/bin/touch"
          mark
        ])
      ];
  };
}
