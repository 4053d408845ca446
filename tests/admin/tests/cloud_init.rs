//! packaging/examples/cloud-init.yaml, read by cloud-init.

use std::path::Path;

use keyroster_admin_docs::{Files, example, key_server, with_words};
use keyroster_testkit::{Program, Result, binary};

#[test]
fn cloud_init_takes_the_user_data() -> Result {
    Program::at(Path::new("/usr/bin/cloud-init"))
        .args(["schema", "--config-file"])
        .arg(example("cloud-init.yaml"))
        .finish()?
        .success("cloud-init schema")?;
    Ok(())
}

/// The command that enrols, with the places exchanged. The package and the unit are tried in the roots of `cargo xtask package --test`.
#[test]
fn the_command_of_the_user_data_enrols_a_host() -> Result {
    let server = key_server()?;
    let files = Files::new()?;
    let token = files.write("token", &server.enrolment_token("web")?)?;
    let agent = binary("keyroster-agent")?;
    let enrol = format!(
        "{} enroll --config {} --server {} --token-file -",
        agent.display(),
        files.settings().display(),
        server.url()
    );
    let data = with_words(
        "cloud-init.yaml",
        &[
            (
                "/usr/lib/keyroster/keyroster-agent enroll --server https://keys.example.org:8443 --token-file -",
                &enrol,
            ),
            ("runuser -u keyroster-agent -- ", "runuser -u root -- "),
            ("/run/keyroster-token", &token.to_string_lossy()),
        ],
    )?;
    let line = data
        .lines()
        .find_map(|line| line.trim().strip_prefix("- [sh, -c, \""))
        .and_then(|line| line.strip_suffix("\"]"))
        .unwrap_or_default();
    Program::at(Path::new("/bin/sh"))
        .args(["-c", line])
        .finish()?
        .success(line)?;
    assert!(server.admin(&["host", "list", "--quiet"])?.lines().count() == 1);
    Ok(())
}
