//! packaging/examples/ansible/enrol.yml, run by Ansible against this machine, and over ssh as a user without privilege.

use std::path::Path;
use std::time::Duration;

use keyroster_admin_docs::{Files, example, key_server};
use keyroster_e2e::Host;
use keyroster_testkit::{
    Account, Annex, Failure, Finished, KeyServer, Program, Result, RootDir, SshKey, binary,
};
use serde_json::{Map, Value, json};

/// Runs the playbook on hosts, with what each is told besides, so many at a time.
fn play(
    server: &KeyServer,
    home: &Path,
    hosts: impl IntoIterator<Item = (String, Value)>,
    forks: usize,
) -> Result<Finished> {
    let hosts: Map<_, _> = hosts.into_iter().collect();
    let inventory = home.join("inventory.json");
    let text = json!({ "all": { "hosts": hosts } }).to_string();
    std::fs::write(&inventory, text).map_err(|error| Failure::io("write", &inventory, &error))?;
    let settings = json!({
        "keyroster_server": server.url(),
        "keyroster_host_group": "web",
        "keyroster_cli": binary("keyroster")?,
        "keyroster_restart": false,
        "ansible_python_interpreter": "/usr/bin/python3",
    });
    Program::at(Path::new("/usr/bin/ansible-playbook"))
        .env("HOME", home)
        .env("LC_ALL", "C.UTF-8")
        .env("ANSIBLE_PIPELINING", "True")
        .env("KEYROSTER_CONFIG", server.cli_config())
        .arg("--inventory")
        .arg(inventory)
        .args(["--forks", &forks.to_string()])
        .args(["--extra-vars", &settings.to_string()])
        .arg(example("ansible/enrol.yml"))
        .finish_within(LIMIT)
}

/// What Ansible is told of a host that is a directory of this machine.
fn here(name: &str, files: &Files) -> Result<(String, Value)> {
    let variables = json!({
        "ansible_connection": "local",
        "ansible_become": false,
        "keyroster_name": name,
        "keyroster_agent": binary("keyroster-agent")?,
        "keyroster_agent_user": "root",
        "keyroster_settings": files.settings(),
        "keyroster_state": files.state(),
    });
    Ok((name.to_owned(), variables))
}

fn enrolled(server: &KeyServer) -> Result<usize> {
    let hosts = server.admin(&["host", "list", "--quiet"])?;
    Ok(hosts.lines().count())
}

#[test]
fn ansible_enrols_hosts_once_each_and_tells_the_tokens_to_nobody() -> Result {
    let server = key_server()?;
    let home = RootDir::named("keyroster-ansible")?;
    let fleet: Vec<Files> = (0..HOSTS).map(|_| Files::new()).collect::<Result<_>>()?;
    let hosts = || {
        let hosts = fleet.iter().enumerate();
        let hosts = hosts.map(|(number, files)| here(&format!("web-{number}"), files));
        hosts.collect::<Result<Vec<_>>>()
    };
    let said = play(&server, home.path(), hosts()?, FORKS)?.success("ansible-playbook")?;
    assert_eq!(said.matches("failed=0").count(), HOSTS, "{said}");
    assert!(!said.contains("kre1."), "{said}");
    assert_eq!(enrolled(&server)?, HOSTS);
    let some = hosts()?.into_iter().take(2);
    let again = play(&server, home.path(), some, FORKS)?.success("ansible-playbook, again")?;
    assert_eq!(again.matches("changed=0").count(), 2, "{again}");
    Ok(())
}

/// A host in an annex, in which one may become root by sudo.
fn host_with_sudo(server: &KeyServer, dir: &RootDir, key: &SshKey) -> Result<(Annex, Host)> {
    let annex = Annex::open()?;
    dir.dir("home", 0o755)?;
    dir.file("home/keyroster-t1", key.public_line(), 0o644)?;
    annex.show(dir.path())?;
    let lines = format!("AuthorizedKeysFile {}/home/%u\n", dir.path().display());
    let host = Host::builder(server, "web-1", "web")
        .not_enabled()
        .in_annex(&annex)
        .sshd(&lines)
        .start()?;
    let sudoers = "keyroster-t1 ALL=(ALL) NOPASSWD: ALL\n";
    annex.file("/etc/sudoers.d/ansible", sudoers, 0o440)?;
    let settings = example("agent.toml");
    let settings = std::fs::read_to_string(&settings)
        .map_err(|error| Failure::io("read", &settings, &error))?;
    annex.file("/etc/keyroster/agent.toml", &settings, 0o644)?;
    annex.shell(&format!(
        "install -D -m 755 '{}/keyroster-agent' /usr/lib/keyroster/keyroster-agent\n\
         install -d -m 700 -o keyroster-agent -g keyroster-agent /var/lib/keyroster-agent",
        host.dir().display()
    ))?;
    Ok((annex, host))
}

#[test]
fn ansible_enrols_a_host_as_a_user_without_privilege_who_may_become_root() -> Result {
    let server = key_server()?;
    let dir = RootDir::named("keyroster-ansible")?;
    let key = SshKey::ed25519(dir.path(), "ansible")?;
    Account::login("keyroster-t1")?;
    let (annex, host) = host_with_sudo(&server, &dir, &key)?;
    let known = format!(
        "-F none -o UserKnownHostsFile={}",
        host.sshd().known_hosts().display()
    );
    let variables = json!({
        "ansible_host": "127.0.0.1",
        "ansible_port": host.sshd().port(),
        "ansible_user": "keyroster-t1",
        "ansible_ssh_private_key_file": key.private_path(),
        "ansible_ssh_common_args": known,
        "ansible_remote_tmp": "/var/tmp/ansible",
        "keyroster_name": "web-2",
    });
    play(&server, dir.path(), [("web-2".to_owned(), variables)], 1)?.success("ansible-playbook")?;
    assert_eq!(enrolled(&server)?, 2);
    let owner = annex.shell("stat -c %U /var/lib/keyroster-agent/credential/host.json")?;
    assert_eq!(owner.trim(), "keyroster-agent");
    Ok(())
}

/// How many hosts are enrolled at once: the way of each is that of one in a thousand.
const HOSTS: usize = 24;
const FORKS: usize = 12;
const LIMIT: Duration = Duration::from_secs(300);
