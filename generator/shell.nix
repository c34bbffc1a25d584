# `nix develop`: `hardway` itself, with completion, and what the crate's build, the
# tests and the rehearsal call. `nix develop .#build` is the same without `hardway`:
# it opens where the sources do not build.
{
  hardway,
  lib,
  pkgs,
  withHardway ? true,
}:
pkgs.mkShell {
  inputsFrom = [ hardway ];
  shellHook = lib.optionalString withHardway ''
    if [[ $- == *i* ]]; then eval "$(hardway completions bash)"; fi
  '';
  packages = [
    pkgs.cargo
    pkgs.cargo-deny
    pkgs.cargo-insta
    pkgs.cfssl
    pkgs.clippy
    pkgs.cpio
    pkgs.deadnix
    pkgs.dosfstools
    pkgs.expect
    pkgs.gitMinimal
    pkgs.go
    pkgs.jq
    pkgs.kubectl
    pkgs.kubernetes-helm
    pkgs.mtools
    pkgs.nixfmt
    pkgs.openssl
    (pkgs.python3.withPackages (python: [ python.pyyaml ]))
    pkgs.qemu
    pkgs.rustc
    pkgs.rustfmt
    pkgs.shellcheck
    pkgs.shfmt
    pkgs.squashfsTools
    pkgs.statix
    pkgs.xorriso
    pkgs.zsh
    pkgs.zstd
  ]
  ++ lib.optional withHardway hardway
  ++ lib.optionals pkgs.stdenv.hostPlatform.isLinux [
    pkgs.bubblewrap
    pkgs.fakeroot
    pkgs.libfaketime
    pkgs.systemd
  ];
}
