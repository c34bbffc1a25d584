# hosts/ -> nixosConfigurations: <node>-x86_64-linux and <node>-aarch64-linux, and
# plain <node> for the first. A host module knows no architecture; this sets it.
#
# hosts/default.nix, which `hardway generate` writes, is an attribute set
#   <node> = {
#     role = "worker";         # or "control-plane"
#     module = ./<node>;       # the generated host module
#     modules = [ ../my.nix ]; # the user's own NixOS modules for this node
#   };
{ nixpkgs }:
{ hosts }:
let
  inherit (nixpkgs) lib;
  systems = [
    "x86_64-linux"
    "aarch64-linux"
  ];
  nodeOn =
    system: node:
    lib.nixosSystem {
      modules = [
        { nixpkgs.hostPlatform = system; }
        ./.
        node.module
      ]
      ++ node.modules;
    };
  configurations =
    name: node:
    let
      each = lib.listToAttrs (
        map (system: lib.nameValuePair "${name}-${system}" (nodeOn system node)) systems
      );
    in
    each // { ${name} = each."${name}-${lib.head systems}"; };
in
lib.concatMapAttrs configurations (import hosts)
