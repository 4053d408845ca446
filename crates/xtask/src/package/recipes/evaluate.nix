# What our flake, package and module come to, with stand-ins for the few functions of nixpkgs that they call. `nix-instantiate --eval`.
{ root }:

let
  lib = {
    cleanSource = path: "source";
    licenses = { mit = "MIT"; asl20 = "Apache-2.0"; };
    mkEnableOption = what: { inherit what; };
    mkOption = option: option;
    types.str = "str";
    mkIf = condition: content: if condition then content else { };
    stringAfter = others: text: text;
  };
  pkgs = {
    stdenv.hostPlatform.system = "x86_64-linux";
    callPackage = path: more: import path ({
      inherit lib;
      rustPlatform.buildRustPackage = recipe: recipe // { outPath = "/package"; };
      installShellFiles = "installShellFiles";
    } // more);
  };
  flake = import (root + "/packaging/nix/flake.nix");
  self = flake.outputs { inherit self; nixpkgs.legacyPackages.x86_64-linux = pkgs; };
  package = self.packages.x86_64-linux.default;
  module = enableKeyCommand: (self.nixosModules.default {
    inherit lib pkgs;
    config.services.keyroster-agent = { enable = true; inherit enableKeyCommand; server = "https://keys.example.org:8443"; };
  }).config;
  on = module true;
in
builtins.deepSeq on {
  inherit (package) version;
  inherit (package.meta) homepage;
  flags = package.cargoBuildFlags;
  lock = builtins.pathExists package.cargoLock.lockFile;
  units = map toString on.systemd.packages;
  command = on.services.openssh.authorizedKeysCommand;
  off = builtins.attrNames (module false).services.openssh;
}
