# `nix develop`: what the crate's build, the tests and the rehearsal call.
{ hardway, pkgs }:
pkgs.mkShell {
  inputsFrom = [ hardway ];
  packages = [
    pkgs.cargo
    pkgs.cargo-insta
    pkgs.clippy
    pkgs.deadnix
    pkgs.expect
    pkgs.go
    pkgs.kubectl
    pkgs.kubernetes-helm
    pkgs.nixfmt
    pkgs.qemu
    pkgs.rustc
    pkgs.rustfmt
    pkgs.shellcheck
    pkgs.shfmt
    pkgs.statix
    pkgs.xorriso
  ];
}
