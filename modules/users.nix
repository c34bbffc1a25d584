# System users, each with a group of its own name.
{ lib, names }:
{
  users = lib.genAttrs names (name: {
    isSystemUser = true;
    group = name;
    description = "runs ${name}'s services of hardway";
  });
  groups = lib.genAttrs names (_: { });
}
