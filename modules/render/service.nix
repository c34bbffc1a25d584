# A component as a systemd service.
#
#   name            the component's name; its unit is <name>.service
#   component       as in `hardway.components.<name>` (modules/components.nix documents each field)
#   packagePath     what stands before /bin/<command>
#   waitForPath  the same for its waitFor, where it has one
{ execStart, escapeSpecifiers }:
{
  name,
  component,
  packagePath,
  waitForPath ? null,
}:
let
  user = component.user or "root";
  stateDirectory = component.stateDirectory or null;
  givenMode = component.stateDirectoryMode or null;
  # etcd's data and the audit log are nobody else's.
  stateDirectoryMode = if givenMode == null && user != "root" then "0700" else givenMode;
  optional = condition: settings: if condition then settings else { };

  # null takes a setting away.
  hardening =
    let
      given = component.hardening or { };
    in
    removeAttrs given (builtins.filter (setting: given.${setting} == null) (builtins.attrNames given));

  # What starts containers manages their cgroups itself, and a restart of it must
  # not kill them.
  delegation = {
    Delegate = true;
    KillMode = "process";
    LimitCORE = "infinity";
    LimitNOFILE = 1048576;
    LimitNPROC = "infinity";
    OOMScoreAdjust = -999;
    TasksMax = "infinity";
  };
in
{
  description = escapeSpecifiers (component.description or name);
  # What is required is waited for too: systemd alone would start both at once.
  after = [
    "network.target"
    "hardway-pki.service"
  ]
  ++ component.after or [ ]
  ++ builtins.filter (unit: !builtins.elem unit (component.after or [ ])) (component.requires or [ ]);
  requires = [ "hardway-pki.service" ] ++ component.requires or [ ];
  wantedBy = [ "multi-user.target" ];
  # A switch restarts the component in one step once the new configuration is in place. NixOS'
  # default stops it before and starts it after, which is for units whose ExecStop must be the
  # old one; a component has none, and would be down for as long as the activation takes.
  # None of the programs takes new flags while it runs, so none is reloaded.
  stopIfChanged = false;
  environment = builtins.mapAttrs (_: escapeSpecifiers) (component.environment or { });

  # A peer may come up minutes later (an emulated control plane): try every 5
  # seconds, but give up on a program that can't start after ten minutes of it.
  unitConfig = {
    StartLimitBurst = 120;
    StartLimitIntervalSec = 1800;
  };
  serviceConfig = {
    Type = component.readiness or "exec";
    ExecStart = execStart {
      program = "${packagePath}/bin/${component.command}";
      arguments = component.arguments or [ ];
      flags = component.flags or { };
    };
    Restart = "on-failure";
    RestartSec = 5;
    # On an emulated machine the API server needs minutes until it is ready.
    TimeoutStartSec = 900;
  }
  // optional (waitForPath != null) {
    ExecStartPre = execStart {
      program = "${waitForPath}/bin/${component.waitFor.command}";
      inherit (component.waitFor) arguments;
    };
  }
  // optional (user != "root") {
    User = user;
    Group = user;
  }
  // optional (stateDirectory != null) { StateDirectory = stateDirectory; }
  // optional (stateDirectory != null && stateDirectoryMode != null) {
    StateDirectoryMode = stateDirectoryMode;
  }
  // optional (component.delegate or false) delegation
  // hardening;
}
