# The hardway program, with what it calls at the end of its PATH: another QEMU or
# kubectl that the user has comes first.
#
# Each can be another: `hardway.override { qemu = qemu_kvm; }`. `firmware` is a folder
# with QEMU's firmware descriptors, or with OVMF_CODE.fd and OVMF_VARS.fd; by default
# it is QEMU's own, which comes with both architectures'.
{
  lib,
  installShellFiles,
  makeWrapper,
  rustPlatform,
  stdenv,
  cilium-cli,
  expect,
  firmware ? null,
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
      ../templates/default
      (lib.fileset.fileFilter (file: file.hasExt "exp") ../scripts)
    ];
  };
  cargoLock.lockFile = ../Cargo.lock;
  # ../checks/crate.nix runs the tests, with the programs that they want.
  doCheck = false;

  # As in ../.cargo/config.toml, which says why.
  env.AWS_LC_SYS_NO_JITTER_ENTROPY = "1";

  # `aws-lc-sys` is C and assembly made beforehand: the C compiler of stdenv is enough.
  nativeBuildInputs = [
    installShellFiles
    makeWrapper
  ];
  postInstall =
    # A program of another architecture can't be asked for its own manual.
    lib.optionalString (stdenv.buildPlatform.canExecute stdenv.hostPlatform) ''
      for shell in bash fish zsh; do
        $out/bin/hardway completions $shell >hardway.$shell
      done
      installShellCompletion hardway.{bash,fish,zsh}
      $out/bin/hardway man pages
      installManPage pages/*.1
    ''
    + ''
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
      } ${lib.optionalString (firmware != null) "--set-default HARDWAY_FIRMWARE ${firmware}"}
    '';

  meta = {
    description = "Kubernetes the hard way on NixOS virtual machines, in one command";
    license = lib.licenses.mit;
    mainProgram = "hardway";
    # As ../flake.nix: nixpkgs drops Macs with Intel processors after 26.05.
    platforms = lib.platforms.linux ++ [ "aarch64-darwin" ];
  };
}
