# What generator/apps.nix runs for each app, by its name. No nixpkgs: what it calls
# of lib and pkgs is stood in for, so that a shell application is its own text.
builtins.mapAttrs (_: app: app.program) (
  import ../generator/apps.nix {
    hardway = "hardway";
    lib.getExe = program: program;
    pkgs.writeShellApplication = { text, ... }: text;
  }
)
