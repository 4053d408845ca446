//! packaging/examples/cloud-init.yaml, read and carried out by cloud-init.

use std::path::Path;

use keyroster_admin_docs::{example, key_server, with_words};
use keyroster_testkit::{Account, Annex, Failure, KeyServer, Program, Result, RootDir, binary};

#[test]
fn cloud_init_takes_the_user_data() -> Result {
    Program::at(Path::new("/usr/bin/cloud-init"))
        .args(["schema", "--config-file"])
        .arg(example("cloud-init.yaml"))
        .finish()?
        .success("cloud-init schema")?;
    Ok(())
}

/// What cloud-init is to do in a machine that is none: read the user data from a file, and carry out what it says and no more.
const SETTINGS: &str = "datasource_list: [NoCloud]\n\
    preserve_hostname: true\n\
    network: {config: disabled}\n\
    users: []\n\
    cloud_init_modules: [write-files]\n\
    cloud_config_modules: [runcmd]\n\
    cloud_final_modules: [scripts-user]\n";

/// What the package manager is asked for, and what was in its sight; then what the package brings.
const APT_GET: &str = "#!/bin/sh\n\
    { echo \"apt-get $*\"; stat -c 'token %a %U' /run/keyroster-token; } >>/var/log/steps\n\
    install -D -m 755 DIR/keyroster-agent /usr/lib/keyroster/keyroster-agent\n\
    install -D -m 644 DIR/agent.toml /etc/keyroster/agent.toml\n\
    install -d -m 700 -o keyroster-agent -g keyroster-agent /var/lib/keyroster-agent\n";

/// What systemd is told, and what is left by then.
const SYSTEMCTL: &str = "#!/bin/sh\n\
    { echo \"systemctl $*\"; ls /run/keyroster-token 2>/dev/null; } >>/var/log/steps\n\
    stat -c 'credential %U' /var/lib/keyroster-agent/credential/host.json >>/var/log/steps\n";

/// A machine that boots for the first time, with this user data.
///
/// The package manager and systemd are stand-ins: the package is installed and its units are started in the roots of
/// `cargo xtask package --test`. All else is real.
fn machine(dir: &RootDir, user_data: &str) -> Result<Annex> {
    Account::service("keyroster-agent")?;
    let annex = Annex::open()?;
    let agent = binary("keyroster-agent")?;
    let copy = dir.path().join("keyroster-agent");
    std::fs::copy(&agent, &copy).map_err(|error| Failure::io("copy", &agent, &error))?;
    dir.file("agent.toml", with_words("agent.toml", &[])?, 0o644)?;
    annex.show(dir.path())?;
    annex.shell("rm -rf /etc/cloud/cloud.cfg.d /var/lib/cloud")?;
    let dir = dir.path().display().to_string();
    for (path, text, mode) in [
        ("/etc/cloud/cloud.cfg", SETTINGS, 0o644),
        (
            "/var/lib/cloud/seed/nocloud/meta-data",
            "instance-id: web-1\n",
            0o644,
        ),
        ("/var/lib/cloud/seed/nocloud/user-data", user_data, 0o600),
        (
            "/usr/local/sbin/apt-get",
            &APT_GET.replace("DIR", &dir),
            0o755,
        ),
        ("/usr/local/sbin/systemctl", SYSTEMCTL, 0o755),
    ] {
        annex.file(path, text, mode)?;
    }
    Ok(annex)
}

fn boot(annex: &Annex) -> Result<String> {
    // The host's name is nobody's to change, should cloud-init think so.
    annex.shell(
        "export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n\
         exec unshare --uts sh -eu <<'END'\n\
         cloud-init init --local\ncloud-init init\n\
         cloud-init modules --mode=config\ncloud-init modules --mode=final\nEND\n",
    )
}

fn user_data(server: &KeyServer) -> Result<String> {
    let token = server.enrolment_token("web")?;
    with_words(
        "cloud-init.yaml",
        &[
            ("kre1.PUT-THE-TOKEN-HERE", token.trim()),
            ("https://keys.example.org:8443", &server.url()),
        ],
    )
}

#[test]
fn a_machine_with_the_user_data_installs_enrols_forgets_the_token_and_starts_in_this_order()
-> Result {
    let server = key_server()?;
    let dir = RootDir::named("keyroster-cloud-init")?;
    let annex = machine(&dir, &user_data(&server)?)?;
    let said = boot(&annex)?;
    let steps = annex.shell("cat /var/log/steps")?;
    let expected = "apt-get install --yes keyroster-host\ntoken 600 root\n\
        systemctl restart keyroster-agent\ncredential keyroster-agent\n";
    assert_eq!(steps, expected, "{said}");
    assert_eq!(
        server.admin(&["host", "list", "--quiet"])?.lines().count(),
        1
    );
    Ok(())
}
