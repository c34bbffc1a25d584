# Packages that are only named: NixOS' modules can be evaluated with them, where
# nothing can be built or fetched. The package NAME is at /pkg/NAME, so that a unit's
# text says which one it means, and stays the same when a version changes.
#
#   names   every name that a module might ask of pkgs
{
  lib,
  names,
  nixpkgs,
  system,
}:
let
  platform = lib.systems.elaborate system;

  # What modules ask of a package beside its path. It stands for its own outputs and
  # overrides, and for what calling it would give.
  package =
    name:
    let
      self = {
        inherit name system;
        type = "derivation";
        pname = name;
        version = "99"; # newer than any module asks for
        outPath = "/pkg/${name}";
        drvPath = "/pkg/${name}.drv";
        outputName = "out";
        outputs = [ "out" ];
        meta.mainProgram = name;
        passthru = { };
        systemManagementModeRequired = false; # OVMF's
        features = { };
        __functor = _: _: self;
        override = _: self;
        overrideAttrs = _: self;
        extend = _: self;
        withPackages = _: self;
        kernelOlder = _: false;
        kernelAtLeast = _: true;
        kernel = self;
        config = lib.genAttrs [ "isYes" "isSet" "isEnabled" "isModule" ] (_: _: true) // {
          isNo = _: false;
          isDisabled = _: false;
        };
      }
      // lib.genAttrs outputs (_: self)
      // lib.genAttrs builtWith (_: true);
    in
    self;
  outputs = [
    "bin"
    "cryptsetup"
    "dev"
    "doc"
    "fd"
    "firmware"
    "ga"
    "info"
    "interpreter"
    "kmod"
    "lib"
    "libc"
    "man"
    "modules"
    "out"
    "pause"
    "terminfo"
    "util-linux"
  ];
  # systemd's, whose modules ask which parts it was built with.
  builtWith = map (part: "with${part}") [
    "Bootloader"
    "Compression"
    "Coredump"
    "Cryptsetup"
    "Efi"
    "Homed"
    "Hostnamed"
    "Importd"
    "Localed"
    "Logind"
    "Machined"
    "Networkd"
    "Nspawn"
    "Nss"
    "Oomd"
    "Portabled"
    "Repart"
    "Resolved"
    "Sysupdate"
    "Timedated"
    "Timesyncd"
    "Tpm2Tss"
    "Tpm2Units"
    "UserDb"
    "Utmp"
    "Vmspawn"
  ];

  # Files made of text keep it, to be read again.
  file = name: text: package name // { inherit text; };
  named = arguments: package (arguments.name or arguments.pname or "unnamed");
  writers = {
    writeText = file;
    writeTextDir = path: file (baseNameOf path);
    writeTextFile = { name, text, ... }: file name text;
    writeScript = file;
    writeScriptBin = file;
    writeShellScript = file;
    writeShellScriptBin = file;
    writeShellApplication = { name, text, ... }: file name text;
    runCommand = name: _: file name;
    runCommandCC = name: _: file name;
    runCommandLocal = name: _: file name;
    concatText = name: files: file name (lib.concatMapStrings (one: one.text or "") files);
    linkFarm = name: _: package name;
    buildEnv = named;
    symlinkJoin = named;
    replaceVars = path: _: package (baseNameOf path);
    replaceVarsWith = named;
    substituteAll = named;
    callPackage = _: _: package "called";
    closureInfo = _: package "closure-info";
    mkShell = named;
    formats =
      lib.genAttrs
        [
          "ini"
          "json"
          "keyValue"
          "systemd"
          "toml"
          "yaml"
          "elixirConf"
        ]
        (
          _: _: {
            type = lib.types.anything;
            generate = name: value: file name (builtins.toJSON value);
            lib = { };
          }
        );
    testers.runNixOSTest = _: package "vm-test";
    rustPlatform.buildRustPackage = named;
  };

  stdenv = {
    inherit system;
    inherit (platform)
      is32bit
      is64bit
      isAarch64
      isDarwin
      isLinux
      isx86_64
      ;
    hostPlatform = platform;
    buildPlatform = platform;
    targetPlatform = platform;
    shell = "/bin/sh";
    cc = package "cc" // {
      bintools.dynamicLinker = "/lib/ld.so";
    };
    mkDerivation = named;
  };

  pkgs =
    lib.genAttrs names package
    // writers
    // {
      inherit lib stdenv system;
      _type = "pkgs";
      path = nixpkgs;
      config = { };
      overlays = [ ];
      hostPlatform = platform;
      buildPlatform = platform;
      targetPlatform = platform;
      stdenvNoCC = stdenv;
      runtimeShell = "/bin/sh";
      buildPackages = pkgs;
      pkgsBuildBuild = pkgs;
      pkgsBuildHost = pkgs;
      pkgsStatic = pkgs;
      pkgsi686Linux = pkgs;
      __splicedPackages = pkgs;
      appendOverlays = _: pkgs;
      extend = _: pkgs;
      libxcrypt = package "libxcrypt" // {
        enabledCryptSchemeIds = [ "y" ];
      };
      linuxPackages = kernelPackages;
      linuxPackages_latest = kernelPackages;
    };
  kernelPackages = package "linux" // {
    extend = _: kernelPackages;
  };
in
pkgs
