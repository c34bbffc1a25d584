# sshd where hardway.ssh is enabled: what NixOS' services.openssh makes of the same
# settings, for Debian's sshd.
#
#   etc SSH     { "<path below /etc>" = text; }
#   links SSH   { "/path" = "its target"; }
{ render }:
let
  ini = import ./ini.nix;
  word = value: if builtins.isBool value then (if value then "yes" else "no") else toString value;
  lines = list: builtins.concatStringsSep "\n" (list ++ [ "" ]);
  unless = condition: value: if condition then { } else value;
in
{
  etc =
    ssh:
    unless (!ssh.enable) (
      let
        told = render.ssh.openssh ssh;
      in
      {
        "ssh/sshd_config" = lines (
          [ "AuthorizedKeysFile ${toString told.authorizedKeysFiles}" ]
          ++ map (name: "${name} ${word told.settings.${name}}") (builtins.attrNames told.settings)
          ++ [
            "PrintMotd no"
            "Subsystem sftp /usr/lib/openssh/sftp-server"
            "UsePAM yes"
          ]
        );
        "systemd/system/sshd.socket" = ini.ini [
          {
            name = "Unit";
            settings.Description = "SSH Socket";
          }
          {
            name = "Socket";
            settings = {
              Accept = true;
              ListenStream = map (one: "${one.addr}:${toString one.port}") told.listenAddresses;
              TriggerLimitIntervalSec = 0;
            }
            // render.ssh.socket ssh;
          }
        ];
        "systemd/system/sshd@.service" = ini.ini [
          {
            name = "Unit";
            settings = {
              Description = "SSH per-connection Daemon";
              After = "hardway-pki.service";
            };
          }
          {
            name = "Service";
            # A client that leaves is no failure of the unit.
            settings = {
              ExecStart = "-/usr/sbin/sshd -i";
              KillMode = "process";
              RuntimeDirectory = "sshd";
              RuntimeDirectoryMode = "0755";
              RuntimeDirectoryPreserve = true;
              StandardError = "journal";
              StandardInput = "socket";
            };
          }
        ];
      }
    );

  links =
    ssh:
    unless (!ssh.enable) {
      # Debian would make keys of the machine's own as the first one comes.
      "/etc/systemd/system/sshd-keygen.service" = "/dev/null";
      "/etc/systemd/system/sockets.target.wants/sshd.socket" = "/etc/systemd/system/sshd.socket";
    };
}
