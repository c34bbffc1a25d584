# Keys and certificates: who may read which file, and the service that sees to it.
{ execLine }:
let
  directory = "/var/lib/hardway/pki";

  isPublic =
    name: builtins.match ".*[.]pem" name != null && builtins.match ".*-key[.]pem" name == null;

  # A certificate is public, and often two users read the same one (etcd and the
  # API server both need etcd's authority). Everything else is its reader's alone.
  mode =
    files: name:
    let
      given = files.${name}.mode or null;
    in
    if given != null then
      given
    else if isPublic name then
      "0644"
    else
      "0600";

  # The files' names by a property of theirs: { "0600" = [ … ]; "0644" = [ … ]; }
  groupBy =
    property: names:
    builtins.listToAttrs (
      map (name: {
        name = property name;
        value = builtins.filter (other: property other == property name) names;
      }) names
    );
in
{
  inherit directory isPublic mode;

  # Gives every file to its reader before a component starts. A missing file stops
  # it, and with it the components: chown names the file in the journal.
  pkiService =
    {
      files,
      directory ? "/var/lib/hardway/pki",
      coreutils ? "/usr",
    }:
    let
      names = builtins.attrNames files;
      each =
        program: property:
        let
          groups = groupBy property names;
        in
        map (
          value:
          execLine (
            [
              "${coreutils}/bin/${program}"
              value
            ]
            ++ map (name: "${directory}/${name}") groups.${value}
          )
        ) (builtins.attrNames groups);
      reader =
        name:
        let
          user = files.${name}.user or "root";
        in
        "${user}:${user}";
      # Others may pass through the folder to their own file, and list nothing.
      commands = [
        (execLine [
          "${coreutils}/bin/install"
          "--directory"
          "--mode=0711"
          "--owner=root"
          "--group=root"
          directory
        ])
      ]
      ++ each "chmod" (mode files)
      ++ each "chown" reader;
    in
    {
      description = "hardway-pki: gives each key and certificate to the service that reads it";
      after = [ ];
      requires = [ ];
      wantedBy = [ "multi-user.target" ];
      environment = { };
      unitConfig = { };
      # Every component requires this unit, so a switch that restarted it would restart them
      # all. Reloaded, it gives the files to their readers and no component stops; a switch reloads
      # before it restarts, and fails where a file is missing, as a start does.
      reloadIfChanged = true;
      serviceConfig = {
        Type = "oneshot";
        RemainAfterExit = true;
        ExecStart = commands;
        ExecReload = commands;
      };
    };
}
