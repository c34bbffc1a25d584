# The way in for who holds the cluster's own ssh key.
#
# Off unless a host module enables it, as those of virtual machines do: on a machine of
# one's own services.openssh stays as one has it.
{ config, lib, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.hardway.ssh;
  render = import ./render;
in
{
  options.hardway.ssh = {
    enable = mkOption {
      type = types.bool;
      default = false;
      example = true;
      description = ''
        Whether root may log in over ssh with a key of `authorizedKeys`, and nobody with a
        password. Sets `services.openssh`; the firewall stays `networking.firewall`'s.
      '';
    };
    interface = mkOption {
      type = types.nullOr (types.strMatching "[^/[:space:]]{1,15}");
      default = null;
      example = "uplink0";
      description = "The one network interface that sshd is reached on; `null` for all.";
    };
    hostKey = mkOption {
      type = types.strMatching "/.*";
      example = "/var/lib/hardway/pki/ssh-host-sigma-key.pem";
      description = "The machine's own Ed25519 key: a path on the machine, never one in the Nix store.";
    };
    authorizedKeys = mkOption {
      type = types.strMatching "/.*";
      example = "/var/lib/hardway/pki/ssh-authorized-keys";
      description = "The file with the public keys that may log in, beside those that `users.users` names.";
    };
  };

  config = lib.mkIf cfg.enable {
    services.openssh = render.ssh.openssh cfg;
    systemd.sockets.sshd.socketConfig = render.ssh.socket cfg;
    # NixOS' own, since 2025: with no key to make it has no command, and systemd refuses it.
    systemd.services.sshd-keygen.enable = false;
  };
}
