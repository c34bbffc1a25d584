# The hardway program, with what it calls at the end of its PATH: another QEMU or
# kubectl that the user has comes first. QEMU brings its own firmware, for both
# architectures, and the descriptors by which it is found.
{
  lib,
  makeWrapper,
  rustPlatform,
  cilium-cli,
  expect,
  kubectl,
  kubernetes-helm,
  openssh,
  qemu,
  xorriso,
}:
rustPlatform.buildRustPackage {
  pname = "hardway";
  inherit ((lib.importTOML ../Cargo.toml).workspace.package) version;

  # What the build reads, so that editing a document or a host rebuilds nothing.
  src = lib.fileset.toSource {
    root = ../.;
    fileset = lib.fileset.unions [
      ../Cargo.lock
      ../Cargo.toml
      ../flake.lock
      ../generator
      ../modules
      (lib.fileset.fileFilter (file: file.hasExt "exp") ../scripts)
    ];
  };
  cargoLock.lockFile = ../Cargo.lock;
  # The tests want QEMU, expect and Nix itself: `scripts/test` runs them.
  doCheck = false;

  nativeBuildInputs = [ makeWrapper ];
  postInstall = ''
    wrapProgram $out/bin/hardway --suffix PATH : ${
      lib.makeBinPath [
        cilium-cli
        expect
        kubectl
        kubernetes-helm
        openssh
        qemu
        xorriso
      ]
    }
  '';

  meta = {
    description = "Kubernetes the hard way on NixOS virtual machines, in one command";
    license = lib.licenses.mit;
    mainProgram = "hardway";
    platforms = lib.platforms.unix;
  };
}
