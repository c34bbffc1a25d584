# Every unit and configuration file of the nodes in `hosts`, as modules/render
# writes them, with packages below `prefix`; and the programs that the units start.
{ hosts, prefix }:
let
  render = import ../modules/render;
  ofNode =
    _: entry:
    let
      inherit (import entry.module { }) hardway;
      inherit (hardway) components;
      packagePath = component: "${prefix}/${component.package}";
      units = builtins.mapAttrs (
        name: component:
        render.unitText (
          render.service {
            inherit name component;
            packagePath = packagePath component;
          }
        )
      ) components;
    in
    {
      units = units // {
        hardway-pki = render.unitText (render.pkiService { inherit (hardway.pki) files; });
      };
      etc = render.etc components;
      programs = map (component: "${packagePath component}/bin/${component.command}") (
        builtins.attrValues components
      );
    };
in
builtins.mapAttrs ofNode (import hosts)
