# One port, one program.
#
# A component says what it listens on (`ports`): many ports are a program's own
# defaults, and appear in no flag. What does appear in one must agree.
{ config, lib, ... }:
let
  inherit (import ./common.nix { inherit config lib; })
    components
    failing
    leavesOf
    node
    ;
  owners =
    port: lib.attrNames (lib.filterAttrs (_: component: lib.elem port component.ports) components);
  taken = lib.unique (lib.concatMap (component: component.ports) (lib.attrValues components));

  # secure-port = 6443; port = 10250; listen-client-urls = [ "https://10.0.0.1:2379" ].
  # Zero is no port, and a Service's is on no machine.
  portOf =
    { name, value, ... }:
    let
      url = builtins.match "[a-z]+://.*:([0-9]+)/?" value;
    in
    if lib.isInt value then
      if builtins.match "(.*-)?port|.*Port" name != null && !lib.hasSuffix "node-port" name then
        value
      else
        0
    else if lib.isString value && lib.hasPrefix "listen-" name && url != null then
      lib.toInt (lib.head url)
    else
      0;
  unsaid =
    name: component:
    map
      (
        one:
        "${node}: ${one.option} is ${toString one.value}, but hardway.components.${name}.ports has no ${toString (portOf one)}: a second program on that port would not be noticed."
      )
      (
        lib.filter (one: portOf one != 0 && !lib.elem (portOf one) component.ports) (
          leavesOf name component
        )
      );
in
{
  assertions = failing (
    map (
      port:
      "${node}: ${
        lib.concatMapStringsSep " and " (name: "hardway.components.${name}.ports") (owners port)
      } both have ${toString port}; only one program can listen there."
    ) (lib.filter (port: lib.length (owners port) > 1) taken)
    ++ lib.concatLists (lib.mapAttrsToList unsaid components)
  );
}
