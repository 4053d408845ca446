//! packaging/examples/ansible/enrol.yml, run by Ansible against this machine.

use std::path::Path;

use keyroster_admin_docs::{Files, example, key_server};
use keyroster_testkit::{Failure, Finished, KeyServer, Program, Result, binary};

fn play(server: &KeyServer, files: &Files) -> Result<Finished> {
    let state = files.state();
    let variables = [
        ("keyroster_server", server.url()),
        ("keyroster_host_group", "web".to_owned()),
        ("keyroster_cli", text(&binary("keyroster")?)),
        ("keyroster_agent", text(&binary("keyroster-agent")?)),
        ("keyroster_agent_user", "root".to_owned()),
        ("keyroster_settings", text(&files.settings())),
        ("keyroster_state", text(&state)),
        ("keyroster_restart", "false".to_owned()),
    ];
    let mut ansible = Program::at(Path::new("/usr/bin/ansible-playbook"))
        .env("HOME", files.path("home"))
        .env("LC_ALL", "C.UTF-8")
        .env("KEYROSTER_CONFIG", server.cli_config())
        .args(["--inventory", "localhost,", "--connection", "local"]);
    for (name, value) in variables {
        ansible = ansible.args(["--extra-vars", &format!("{name}={value}")]);
    }
    ansible.arg(example("ansible/enrol.yml")).finish()
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[test]
fn ansible_enrols_a_host_once_and_tells_the_token_to_nobody() -> Result {
    let server = key_server()?;
    let files = Files::new()?;
    let said = play(&server, &files)?.success("ansible-playbook")?;
    assert!(said.contains("failed=0"), "{said}");
    assert!(!said.contains("kre1."), "{said}");
    let hosts = server.admin(&["host", "list", "--json"])?;
    let hosts: serde_json::Value =
        serde_json::from_str(&hosts).map_err(|error| Failure::new(format!("{hosts}: {error}")))?;
    assert_eq!(hosts.as_array().map(Vec::len), Some(1), "{hosts}");

    let again = play(&server, &files)?.success("ansible-playbook, again")?;
    assert!(again.contains("changed=0"), "{again}");
    Ok(())
}
