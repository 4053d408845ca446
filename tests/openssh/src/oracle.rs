//! A running sshd that is asked about one line after the other.

use std::fs;
use std::path::{Path, PathBuf};

use keyroster_testkit::{Account, Failure, Result, RootDir, Ssh, Sshd};

/// An sshd whose only file of keys holds the line in question.
#[derive(Debug)]
pub struct Oracle {
    sshd: Sshd,
    account: Account,
    lines: PathBuf,
}

/// What sshd made of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// It let the key in, and understood the options so.
    Accept(Vec<String>),
    /// It understood the line, but the login comes from the wrong place or too late.
    Defer,
    /// It ignored the line.
    Ignore,
}

impl Oracle {
    /// Starts an sshd that keeps its files in `dir` and has these lines of configuration besides its own.
    ///
    /// # Errors
    /// When sshd does not start.
    pub fn start(dir: &RootDir, config: &str) -> Result<Self> {
        Self::start_for(dir, config, Account::login(ACCOUNT)?)
    }

    /// The same for logins as this account.
    ///
    /// # Errors
    /// When sshd does not start.
    pub fn start_for(dir: &RootDir, config: &str, account: Account) -> Result<Self> {
        let lines = dir.file("authorized_keys", "", 0o644)?;
        let config = format!(
            "{config}\nLogLevel DEBUG1\nPermitUserEnvironment yes\nAuthorizedKeysFile {}\n",
            lines.display()
        );
        let sshd = Sshd::builder().config(&config).start()?;
        Ok(Self {
            sshd,
            account,
            lines,
        })
    }

    /// Puts these bytes in place of the file of keys.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn put(&self, lines: impl AsRef<[u8]>) -> Result {
        fs::write(&self.lines, lines).map_err(|error| Failure::io("write", &self.lines, &error))
    }

    /// A login to come.
    pub fn ssh(&self, private_key: &Path) -> Ssh {
        Ssh::to(&self.sshd, &self.account.name).identity(private_key)
    }

    /// Puts a line in place, logs in with a key, and says what became of it.
    ///
    /// # Errors
    /// When the line can't be written or `ssh` does not end.
    pub fn ask(&self, line: &[u8], private_key: &Path) -> Result<Verdict> {
        self.put(line)?;
        let before = self.sshd.log_size();
        self.ssh(private_key).run()?;
        Ok(self.verdict(&self.sshd.log_from(before)))
    }

    /// What sshd has logged.
    pub fn log(&self) -> String {
        self.sshd.log()
    }

    fn verdict(&self, log: &str) -> Verdict {
        if log.contains("Accepted publickey for") || log.contains("Accepted key ") {
            return Verdict::Accept(self.understood(log));
        }
        let from_elsewhere =
            log.contains("not from a permitted host") && !log.contains("invalid from criteria");
        if from_elsewhere || log.contains("entry expired at") {
            Verdict::Defer
        } else {
            Verdict::Ignore
        }
    }

    /// The options in sshd's own words, each once. Of permitted ports it logs the text as it stood and then what it made
    /// of it; only the latter counts.
    fn understood(&self, log: &str) -> Vec<String> {
        let place = format!("debug1: {}:", self.lines.display());
        let mut words = Vec::new();
        for line in log.lines() {
            let said = match line.strip_prefix(&place) {
                Some(rest) => rest.split_once(": ").map_or("", |(_, said)| said),
                None if line.contains("allow user ") => line,
                None => continue,
            };
            let is_text_of_port = said.starts_with("permitted ");
            if !is_text_of_port && !words.iter().any(|word| word == said) {
                words.push(said.to_owned());
            }
        }
        words
    }
}

/// Who logs in.
const ACCOUNT: &str = "keyroster-ssh";
