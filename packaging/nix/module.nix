# services.keyroster-agent: the host agent. sshd asks only when `enableKeyCommand` is set, as everywhere else.
self: { config, lib, pkgs, ... }:

let
  cfg = config.services.keyroster-agent;
  package = self.packages.${pkgs.stdenv.hostPlatform.system}.default;
  lookup = "/run/keyroster-lookup/keyroster-lookup";
in
{
  options.services.keyroster-agent = {
    enable = lib.mkEnableOption "keyroster's host agent";
    enableKeyCommand = lib.mkEnableOption "asking it at every SSH login";
    server = lib.mkOption {
      type = lib.types.str;
      description = "The key server: https://keys.example.org:8443.";
    };
  };

  config = lib.mkIf cfg.enable {
    users.users.keyroster-agent = { isSystemUser = true; group = "keyroster-agent"; };
    users.groups.keyroster-agent = { };
    users.users.keyroster-lookup = { isSystemUser = true; group = "keyroster-lookup"; };
    users.groups.keyroster-lookup = { };

    environment.etc."keyroster/agent.toml".text = ''
      server = "${cfg.server}"
    '';
    environment.etc."keyroster/lookup.conf".text = ''
      authorized_keys: agent
      principals:      agent
    '';

    # The unit is the one that every distribution has; of a unit that a package brings, NixOS passes [Install] over.
    systemd.packages = [ package ];
    systemd.services.keyroster-agent.wantedBy = [ "multi-user.target" ];

    # The store is writable by a group, which sshd refuses in a key command's path: a copy that is root's alone.
    system.activationScripts.keyroster-lookup = lib.stringAfter [ "specialfs" ] ''
      install -D -m 0755 -o root -g root ${package}/bin/keyroster-lookup ${lookup}.new
      mv -f ${lookup}.new ${lookup}
    '';
    services.openssh = lib.mkIf cfg.enableKeyCommand {
      authorizedKeysCommand = "${lookup} keys --user=%u --uid=%U --type=%t --key=%k --fingerprint=%f";
      authorizedKeysCommandUser = "keyroster-lookup";
    };
  };
}
