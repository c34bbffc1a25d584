# Files in systemd's INI form.
#
#   ini [ { name, settings } ]   empty sections are left out; a list repeats its key
#   unit SERVICE                 the text of a plain systemd.services.<name>
let
  option =
    value: if builtins.isBool value then (if value then "true" else "false") else toString value;
  settingsLines =
    settings:
    builtins.concatMap (
      name:
      let
        value = settings.${name};
      in
      map (one: "${name}=${option one}") (if builtins.isList value then value else [ value ])
    ) (builtins.attrNames settings);
  nonEmpty = builtins.filter (section: section.settings != { });
  words = name: list: if list == [ ] then { } else { ${name} = builtins.concatStringsSep " " list; };
in
rec {
  ini =
    sections:
    builtins.concatStringsSep "\n" (
      map (
        section:
        builtins.concatStringsSep "\n" ([ "[${section.name}]" ] ++ settingsLines section.settings ++ [ "" ])
      ) (nonEmpty sections)
    );

  unit =
    service:
    ini [
      {
        name = "Unit";
        settings =
          service.unitConfig
          // (if service.description == "" then { } else { Description = service.description; })
          // words "After" service.after
          // words "Before" service.before
          // words "BindsTo" service.bindsTo
          // words "Conflicts" service.conflicts
          // words "PartOf" service.partOf
          // words "Requires" service.requires
          // words "Wants" service.wants;
      }
      {
        name = "Service";
        settings = {
          Environment = map (name: builtins.toJSON "${name}=${service.environment.${name}}") (
            builtins.attrNames service.environment
          );
        }
        # How a switch takes a change of the unit; NixOS writes these lines, too.
        // (
          if service.reloadIfChanged then
            { X-ReloadIfChanged = true; }
          else if service.restartIfChanged then
            { }
          else
            { X-RestartIfChanged = false; }
        )
        // (if service.stopIfChanged then { } else { X-StopIfChanged = false; })
        // service.serviceConfig;
      }
    ];
}
