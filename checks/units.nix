# Every unit and configuration file of the nodes in `hosts`, as modules/render
# writes them, with packages below `prefix`; and the programs that the units start.
{ hosts, prefix }:
let
  render = import ../modules/render;
  ofNode =
    _: entry:
    let
      inherit (import entry.module { }) hardway;
      components = builtins.mapAttrs (
        _: component: component // { hardening = render.hardening component // component.hardening or { }; }
      ) hardway.components;
      packagePath = component: "${prefix}/${component.package}";
      units = builtins.mapAttrs (
        name: component:
        render.unitText (
          render.service {
            inherit name component;
            packagePath = packagePath component;
            waitForPath = if component ? waitFor then packagePath component.waitFor else null;
          }
        )
      ) components;
    in
    {
      units =
        units
        // {
          hardway-pki = render.unitText (render.pkiService { inherit (hardway.pki) files; });
        }
        // (
          if components ? containerd then
            {
              hardway-images = render.unitText (
                render.imagesService {
                  images = [ "/var/lib/images/an image.tar" ];
                  containerd = packagePath components.containerd;
                }
              );
            }
          else
            { }
        );
      etc = render.etc components // render.cniEtc (hardway.cni.config or null);
      programs =
        map (program: "${packagePath program}/bin/${program.command}") (
          builtins.attrValues components
          ++ builtins.concatMap (component: if component ? waitFor then [ component.waitFor ] else [ ]) (
            builtins.attrValues components
          )
        )
        ++ (if components ? containerd then [ "${packagePath components.containerd}/bin/ctr" ] else [ ]);
    };
in
builtins.mapAttrs ofNode (import hosts)
