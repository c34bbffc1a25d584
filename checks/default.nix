# What `nix flake check` does beside the builds; nothing of it starts a machine.
{
  configurations,
  hardway,
  lib,
  pkgs,
}:
let
  inherit (lib) fileset;

  # NAME's check: COMMANDS with PROGRAMS, in a copy of FILES from the repository.
  check =
    name: programs: files: commands:
    pkgs.runCommand name
      {
        nativeBuildInputs = programs;
        src = fileset.toSource {
          root = ../.;
          fileset = files;
        };
      }
      ''
        cp -r "$src" repository
        chmod -R u+w repository
        patchShebangs --build repository >/dev/null
        cd repository
        ${commands}
        touch "$out"
      '';

  scripts = fileset.unions [
    ../checks
    ../rehearsal
    ../scripts
  ];
  nixFiles = fileset.fileFilter (file: file.hasExt "nix") ../.;

  # A whole system evaluated down to its derivation, and none of it built.
  evaluated =
    name: configuration:
    let
      inherit (configuration.config.system) build;
    in
    pkgs.writeText "evaluated-${name}" (
      builtins.unsafeDiscardStringContext (build.isoImage or build.toplevel).drvPath
    );

  # Plain <node> is <node>-x86_64-linux again.
  isNoAlias = name: _: !configurations ? "${name}-x86_64-linux";

  # NAME's check, which is an evaluation: FAILURES is [ ] where all is well.
  evaluates =
    name: failures:
    if failures == [ ] then
      pkgs.writeText name "ok"
    else
      throw "checks: ${name}: ${lib.generators.toPretty { } failures}";

  # By its hash: another release's lib words some types otherwise.
  documented = lib.hasInfix (import ./options-doc.nix).hash (builtins.readFile ../docs/options.md);
in
{
  inherit hardway;
  crate = import ./crate.nix { inherit hardway lib pkgs; };

  modules = evaluates "modules" (import ./modules.nix { inherit lib; });
  options = evaluates "options" (
    lib.optional (!documented) "docs/options.md is out of date: run checks/options-doc"
  );

  hosts =
    check "hosts" [ hardway ]
      (fileset.unions [
        ../cluster.env
        ../cluster.json
        ../hosts
        ./vm-test
      ])
      ''
        hardway --dir . generate --check
        hardway --dir checks/vm-test generate --check
      '';

  docs =
    check "docs"
      [
        hardway
        pkgs.jq
        pkgs.nix
      ]
      (fileset.unions [
        ../CHANGELOG.md
        ../CONTRIBUTING.md
        ../README.md
        ../SECURITY.md
        ../docs
        ../flake.nix
        ../generator
        scripts
      ])
      ''
        export NIX_STATE_DIR=$TMPDIR/nix HOME=$TMPDIR CARGO_TARGET_DIR=$TMPDIR/target
        mkdir -p "$CARGO_TARGET_DIR/release"
        ln -s ${lib.getExe hardway} "$CARGO_TARGET_DIR/release/hardway"
        hardway reference cli | diff docs/cli.md -
        checks/apps-test
        checks/readme-test
      '';

  template = check "template" [ hardway pkgs.gitMinimal ] ../templates/default ''
    cp --recursive --no-preserve=mode templates/default "$TMPDIR/cluster"
    git init --quiet "$TMPDIR/cluster"
    hardway --dir "$TMPDIR/cluster" generate
  '';

  shell =
    check "shell"
      [
        pkgs.shellcheck
        pkgs.shfmt
      ]
      scripts
      ''
        grep -rlE '^(#!.*\b(ba)?sh$|# shellcheck shell=)' . >"$TMPDIR/scripts"
        xargs shellcheck <"$TMPDIR/scripts"
        xargs shfmt -i 2 -ci -d <"$TMPDIR/scripts"
      '';

  nix-format = check "nix-format" [ pkgs.nixfmt ] nixFiles ''
    find . -name '*.nix' -exec nixfmt --check {} +
  '';
  nix-dead-code = check "nix-dead-code" [ pkgs.deadnix ] nixFiles ''
    deadnix --fail .
  '';
  nix-lint = check "nix-lint" [ pkgs.statix ] (fileset.union nixFiles ../statix.toml) ''
    statix check .
  '';
}
// lib.optionalAttrs pkgs.stdenv.hostPlatform.isLinux {
  # Nix evaluates the rehearsal's side of it, in the sandbox.
  expected =
    check "expected"
      [
        pkgs.jq
        pkgs.nix
        pkgs.python3
        pkgs.systemd
      ]
      (fileset.unions [
        ../flake.lock
        ../generator/hardway/templates
        ../hosts
        ../modules
        ../rehearsal/eval
        ./expected
        ./expected-test
      ])
      ''
        export NIX_STATE_DIR=$TMPDIR/nix HOME=$TMPDIR
        checks/expected-test
      '';
}
// lib.mapAttrs' (
  name: configuration: lib.nameValuePair "system-${name}" (evaluated name configuration)
) (lib.filterAttrs isNoAlias configurations)
