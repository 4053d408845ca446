# Every program in one package; the module below takes what a machine needs.
{ lib, rustPlatform, installShellFiles }:

rustPlatform.buildRustPackage {
  pname = "keyroster";
  version = "0.1.0";
  src = lib.cleanSource ../..;
  cargoLock.lockFile = ../../Cargo.lock;
  cargoBuildFlags = [
    "--package=keyroster-cli"
    "--package=keyroster-server"
    "--package=keyroster-agent"
    "--package=keyroster-lookup"
    "--package=keyroster-sessions"
    "--package=keyroster-manual"
  ];
  # The tests want root, an sshd and a PostgreSQL of their own.
  doCheck = false;
  nativeBuildInputs = [ installShellFiles ];
  postInstall = ''
    $out/bin/keyroster-manual manual
    rm $out/bin/keyroster-manual
    installManPage manual/man/* packaging/man/*
    install -Dm644 -t $out/lib/systemd/system packaging/systemd/keyroster-agent.service
    substituteInPlace $out/lib/systemd/system/keyroster-agent.service --replace-fail /usr/lib/keyroster/ $out/bin/
    for program in keyroster keyroster-agent keyroster-server; do
      installShellCompletion --cmd $program \
        --bash manual/completions/bash/$program \
        --zsh manual/completions/zsh/_$program \
        --fish manual/completions/fish/$program.fish
    done
  '';
  meta = {
    description = "SSH logins decided by a central key server";
    homepage = "https://github.com/keyroster/keyroster";
    license = with lib.licenses; [ mit asl20 ];
    platforms = [ "x86_64-linux" ];
  };
}
