//! What docs/admin and packaging/examples show to admins, tried with the very tools: Ansible, cloud-init, HAProxy.
//!
//! The files are used as they are shipped. What stands in them for the admin's own is put in by variables where the tool has some, and
//! by exchanging the very words that an admin would exchange where it has none.

use std::fs;
use std::path::{Path, PathBuf};

use keyroster_testkit::{Failure, Finished, KeyServer, Program, Result};
use tempfile::TempDir;

/// A file of packaging/examples, as shipped.
pub fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../packaging/examples")
        .join(name)
}

/// The text of a file of packaging/examples, with words exchanged. Each must be there.
pub fn with_words(name: &str, words: &[(&str, &str)]) -> Result<String> {
    let path = example(name);
    let mut text = fs::read_to_string(&path).map_err(|error| Failure::io("read", &path, &error))?;
    for (shipped, own) in words {
        if !text.contains(shipped) {
            return Err(Failure::new(format!("\"{shipped}\" is not in {name}")));
        }
        text = text.replace(shipped, own);
    }
    Ok(text)
}

/// The files of a host that is not enrolled yet.
#[derive(Debug)]
pub struct Files {
    dir: TempDir,
}

impl Files {
    /// Settings as the package ships them, but for the places.
    pub fn new() -> Result<Self> {
        let dir = TempDir::new().map_err(|error| Failure::new(format!("no directory: {error}")))?;
        let files = Self { dir };
        let settings = with_words(
            "agent.toml",
            &[
                (
                    "#state-dir = \"/var/lib/keyroster-agent\"",
                    &format!("state-dir = \"{}\"", files.state().display()),
                ),
                (
                    "#socket = \"/run/keyroster/agent.sock\"",
                    &format!("socket = \"{}\"", files.path("agent.sock").display()),
                ),
                ("#log = \"syslog\"", "log = \"stderr\""),
            ],
        )?;
        files.write("agent.toml", &settings)?;
        fs::create_dir(files.state())
            .map_err(|error| Failure::io("make", &files.state(), &error))?;
        Ok(files)
    }

    /// A path among them.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The settings.
    pub fn settings(&self) -> PathBuf {
        self.path("agent.toml")
    }

    /// The state directory.
    pub fn state(&self) -> PathBuf {
        self.path("state")
    }

    /// Writes one.
    pub fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.path(name);
        fs::write(&path, text).map_err(|error| Failure::io("write", &path, &error))?;
        Ok(path)
    }

    /// What `keyroster-agent status --json` says, with or without a daemon.
    pub fn status(&self) -> Result<Finished> {
        Program::keyroster("keyroster-agent")?
            .args(["status", "--json", "--config"])
            .arg(self.settings())
            .finish()
    }
}

/// A key server with one host group, `web`.
pub fn key_server() -> Result<KeyServer> {
    let server = KeyServer::start()?;
    server.admin(&["host-group", "add", "web"])?;
    Ok(server)
}
