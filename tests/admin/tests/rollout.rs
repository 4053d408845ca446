//! packaging/examples/ansible/enable.yml, run by Ansible over ssh against hosts with an sshd each.

use std::fs;
use std::path::Path;
use std::time::Duration;

use keyroster_admin_docs::example;
use keyroster_e2e::Host;
use keyroster_testkit::{
    Account, Failure, Finished, KeyServer, Program, Result, RootDir, SshAgent, SshKey, until,
};
use serde_json::{Value, json};

/// Hosts whose sshd reads files of keys, in which is one for root, Ansible's; and somebody who is granted root and has an ssh-agent.
struct Fleet {
    hosts: Vec<Host>,
    ansible: SshKey,
    alice: SshKey,
    agent: SshAgent,
    dir: RootDir,
    _server: KeyServer,
}

impl Fleet {
    fn new(names: &[&str]) -> Result<Self> {
        let server = KeyServer::start()?;
        let dir = RootDir::named("keyroster-rollout")?;
        let alice = SshKey::ed25519(dir.path(), "alice")?;
        let ansible = SshKey::ed25519(dir.path(), "ansible")?;
        server.add_user_with_key("alice", &alice.public_path())?;
        server.admin(&["host-group", "add", "web"])?;
        let grant = ["grant", "add", "--user", "alice", "--host-group", "web"];
        let account = Account::login("keyroster-t1")?.name;
        server.admin(&[&grant[..], &["--account", &account]].concat())?;
        dir.dir("home", 0o755)?;
        dir.dir("tmp", 0o755)?;
        dir.file("home/root", ansible.public_line(), 0o644)?;
        let lines = format!(
            "AuthorizedKeysFile {}/home/%u\nPermitRootLogin yes\nSubsystem sftp internal-sftp\n",
            dir.path().display()
        );
        let host = |name: &&str| {
            let host = Host::builder(&server, name, "web").not_enabled();
            let host = host.sshd(&lines).start()?;
            move_behind_ours(&host)?;
            Ok(host)
        };
        Ok(Self {
            hosts: names.iter().map(host).collect::<Result<_>>()?,
            ansible,
            agent: SshAgent::with(&[&alice])?,
            alice,
            dir,
            _server: server,
        })
    }

    /// What Ansible is told of a host.
    fn variables(&self, host: &Host, enable: &[&str]) -> Value {
        let (sshd, dir) = (host.sshd(), host.dir());
        let places = [
            ("--config", dir.join("agent.toml")),
            ("--sshd-config", sshd.dir().join("sshd_config")),
            ("--state", dir.join("root")),
            ("--lookup", dir.join("keyroster-lookup")),
            ("--lookup-config", dir.join("lookup.conf")),
            ("--break-glass-dir", dir.join("break-glass")),
        ];
        let places = places.map(|(option, path)| format!("{option}={}", path.display()));
        let enable = enable.iter().map(|word| (*word).to_owned());
        let own = self.dir.path();
        json!({
            "ansible_host": "127.0.0.1",
            "ansible_port": sshd.port(),
            "ansible_user": "root",
            "ansible_become": false,
            "ansible_ssh_private_key_file": self.ansible.private_path(),
            "ansible_ssh_common_args": format!("-F none -o UserKnownHostsFile={}", sshd.known_hosts().display()),
            "ansible_python_interpreter": "/usr/bin/python3",
            "ansible_remote_tmp": own.join("tmp"),
            "ansible_async_dir": own.join("tmp/async"),
            "keyroster_agent": dir.join("keyroster-agent"),
            "keyroster_enable": places.into_iter().chain(enable).collect::<Vec<_>>(),
        })
    }

    fn play(&self, hosts: &[Host], enable: &[&str], settings: &Value) -> Result<Finished> {
        let hosts = hosts.iter();
        let hosts = hosts.map(|host| (host.name.clone(), self.variables(host, enable)));
        let hosts: serde_json::Map<_, _> = hosts.collect();
        let inventory = json!({ "all": { "hosts": hosts } }).to_string();
        let inventory = self.dir.file("inventory.json", inventory, 0o600)?;
        let (variable, socket) = self.agent.variable();
        Program::at(Path::new("/usr/bin/ansible-playbook"))
            .env("HOME", self.dir.path().join("tmp"))
            .env("LC_ALL", "C.UTF-8")
            .env("ANSIBLE_PIPELINING", "True")
            .env(variable, socket)
            .args(["--inventory"])
            .arg(inventory)
            .args(["--extra-vars", &settings.to_string()])
            .arg(example("ansible/enable.yml"))
            .finish_within(LIMIT)
    }
}

/// Renames the drop-in that names the files of keys, so that it is read behind keyroster's once sshd is reloaded.
fn move_behind_ours(host: &Host) -> Result {
    let dir = host.sshd().dir().join("sshd_config.d");
    let failed = |error| Failure::io("read", &dir, &error);
    for entry in fs::read_dir(&dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let text = fs::read_to_string(&path).map_err(failed)?;
        if text.contains("PermitRootLogin") {
            let to = dir.join("50-files.conf");
            fs::rename(&path, &to).map_err(|error| Failure::io("rename", &path, &error))?;
        }
    }
    Ok(())
}

fn is_enabled(host: &Host) -> bool {
    let drop_in = "sshd_config.d/10-keyroster.conf";
    host.sshd().dir().join(drop_in).exists()
}

fn pending(host: &Host) -> bool {
    host.dir().join("root/pending").exists()
}

#[test]
fn ansible_enables_hosts_and_its_own_next_login_confirms_each_of_them() -> Result {
    let fleet = Fleet::new(&["web-1", "web-2"])?;
    let settings = json!({ "keyroster_serial": [1, "100%"], "keyroster_look_every": 1 });
    let said = fleet
        .play(&fleet.hosts, &["--without-break-glass"], &settings)?
        .success("ansible-playbook")?;
    assert!(said.contains("failed=0"), "{said}");
    assert_eq!(said.matches("changed=1").count(), 2, "{said}");
    for host in &fleet.hosts {
        assert!(is_enabled(host) && !pending(host), "{said}");
        assert!(host.lets_in("keyroster-t1", &fleet.alice)?);
    }
    let again = fleet
        .play(
            fleet.hosts.get(..1).unwrap_or_default(),
            &["--without-break-glass"],
            &settings,
        )?
        .success("ansible-playbook, again")?;
    assert!(again.contains("changed=0"), "{again}");
    Ok(())
}

#[test]
fn a_host_that_ansible_could_not_log_in_to_any_more_takes_itself_back_and_ends_the_roll_out()
-> Result {
    let fleet = Fleet::new(&["web-1", "web-2"])?;
    // Files of keys are read no more, and Ansible's key is nowhere else.
    let only = ["--only-keyroster", "--without-break-glass"];
    let settings = json!({
        "keyroster_serial": 1,
        "keyroster_look_every": 1,
        "keyroster_confirm_within": "20s",
    });
    let done = fleet.play(&fleet.hosts, &only, &settings)?;
    assert_ne!(done.code(), Some(0), "{done:?}");
    assert!(done.stdout.contains("could not log in after"), "{done:?}");
    let [first, second] = fleet.hosts.as_slice() else {
        return Err(Failure::new("two hosts were started"));
    };
    let what = "the first host to take it back";
    until(what, LIMIT, || Ok((!pending(first)).then_some(())))?;
    assert!(!is_enabled(first), "{}", done.stdout);
    assert!(first.lets_in("root", &fleet.ansible)?);
    assert!(!is_enabled(second), "{}", done.stdout);
    assert!(!second.dir().join("root").exists(), "{}", done.stdout);
    Ok(())
}

const LIMIT: Duration = Duration::from_secs(120);
