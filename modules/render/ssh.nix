# What NixOS' sshd is told where hardway.ssh is enabled: `services.openssh` and the
# socket's own settings. Root by key alone; nobody by password.
{
  openssh = ssh: {
    enable = true;
    # systemd listens, and starts an sshd for each who comes: only a socket can be bound
    # to an interface.
    startWhenNeeded = true;
    listenAddresses = [
      {
        addr = "0.0.0.0";
        port = 22;
      }
    ];
    # The host module's firewall opens the port where it is to be open.
    openFirewall = false;
    # NixOS makes each key of this list that is missing. Ours comes with the node's other keys:
    # a new one in its place would hide from hardway-pki that it was lost.
    hostKeys = [ ];
    authorizedKeysFiles = [ ssh.authorizedKeys ];
    settings = {
      HostKey = ssh.hostKey;
      KbdInteractiveAuthentication = false;
      PasswordAuthentication = false;
      PermitRootLogin = "prohibit-password";
    };
  };

  socket = ssh: if ssh.interface == null then { } else { BindToDevice = ssh.interface; };
}
