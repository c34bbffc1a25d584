# The crate's tests, in Nix' sandbox, with the programs that they call: cfssl and
# OpenSSL judge the certificates, Nix the generated modules, expect and QEMU (which
# emulates where there is no /dev/kvm) the installer script. A test that needs more
# than the sandbox has says so and is skipped. ./sandbox-test runs the tests in a
# sandbox like it, without nixpkgs.
{
  hardway,
  lib,
  pkgs,
}:
hardway.overrideAttrs {
  pname = "hardway-tests";
  src = lib.fileset.toSource {
    root = ../.;
    fileset = lib.fileset.unions [
      ../Cargo.lock
      ../Cargo.toml
      ../cluster.env
      ../cluster.json
      ../cluster.schema.json
      ../clippy.toml
      ../docs/real-machines.md
      ../flake.lock
      ../generator
      ../hosts
      ../modules
      ../rehearsal/images
      ../rehearsal/programs/coredns
      ../scripts
      ../templates/default
    ];
  };

  nativeBuildInputs = [
    pkgs.clippy
    pkgs.rustfmt
  ]
  ++ hardway.nativeBuildInputs;
  nativeCheckInputs = [
    pkgs.cfssl
    pkgs.expect
    pkgs.gitMinimal
    pkgs.nix
    pkgs.openssl
    pkgs.procps
    pkgs.qemu
    pkgs.xorriso
  ];
  doCheck = true;
  # The tests talk to servers of their own and to QEMU on 127.0.0.1, which the sandbox
  # of macOS denies by default.
  __darwinAllowLocalNetworking = true;
  env = {
    # As in ../.cargo/config.toml.
    AWS_LC_SYS_NO_JITTER_ENTROPY = "1";
    # A snapshot that differs is a failure, not a file to write.
    INSTA_UPDATE = "no";
  };
  postBuild = ''
    cargo fmt --check
    cargo clippy --offline --release --all-targets -- --deny warnings
  '';
  preCheck = ''
    export HOME=$TMPDIR/home NIX_STATE_DIR=$TMPDIR/nix XDG_RUNTIME_DIR=$TMPDIR
    mkdir -p "$HOME"
  '';

  # The tests are all that is wanted.
  dontInstall = true;
  dontFixup = true;
  postCheck = ''
    touch "$out"
  '';
}
