//! One login by a break-glass file alone: of a drill, and of `enable` before it changes anything.

use std::path::Path;

use keyroster_sshd::account::Account;
use keyroster_sshd::trial::{self, Identity, Outcome};
use keyroster_sshd::would_be::{DropIn, WouldBe};
use keyroster_sshd::{Connection, Effective, Sshd};

use crate::admission::key_file::expand;
use crate::admission::{Applicant, Bar, may_log_in, takes};
use crate::break_glass::check::Checked;
use crate::break_glass::drill::DrillError;
use crate::break_glass::drill::mark::Mark;
use crate::break_glass::fault::Fault;
use crate::clock::Calendar;
use crate::config::Config;

/// The sshd that is logged in to: this one, with a key command that knows nobody.
#[derive(Debug)]
pub(crate) struct Stage<'a> {
    /// Which sshd, with its configuration.
    pub sshd: &'a Sshd,
    /// Our file of that configuration.
    pub drop_in: &'a DropIn,
    /// What stands in it, or would stand there; none without the file.
    pub text: Option<&'a [u8]>,
    /// The directory of sessions, where drills are marked.
    pub sessions: &'a Path,
}

/// A login that worked.
#[derive(Debug)]
pub(crate) struct Login {
    /// The key: `SHA256:…`.
    pub key: String,
    /// Whether a real use would be told.
    pub seen: Seen,
}

/// Who saw a login.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// `keyroster-sessions`, by sshd's PAM stack.
    ByPam,
    /// Nobody.
    ByNobody,
}

impl Stage<'_> {
    /// Logs in with one of these keys.
    ///
    /// # Errors
    /// When none is let in, or not by the account's file.
    pub(crate) fn log_in(
        &self,
        checked: &Checked,
        identities: &[Identity],
    ) -> Result<Login, DrillError> {
        let mark = Mark::leave(self.sessions)?;
        let overrides = KNOWS_NOBODY.map(str::to_owned);
        let alone = self.sshd.clone().with_overrides(&overrides);
        let text = self.text.map(without_command);
        let would_be = WouldBe::new(&alone, self.drop_in, text.as_deref())?;
        let account = checked.account.as_str();
        let effective = would_be.sshd().effective(&Connection::local(account)?)?;
        let records = effective.is_on("UsePAM");
        let seen = || !records || mark.was_seen();
        let proof = match trial::login_until(&would_be, account, identities, &seen)? {
            Outcome::LoggedIn(proof) => proof,
            Outcome::Refused(why) => {
                let account = checked.account.clone();
                return Err(DrillError::Refused { account, why });
            }
        };
        if !is_at(&proof.found_at, &checked.path) {
            return Err(DrillError::OtherWay {
                account: checked.account.clone(),
                found_at: proof.found_at,
            });
        }
        Ok(Login {
            key: proof.fingerprint,
            seen: match mark.was_seen() {
                true => Seen::ByPam,
                false => Seen::ByNobody,
            },
        })
    }
}

/// The same without its key command: inside of a `Match` block it would beat the one that knows nobody, which stands on the command line.
fn without_command(text: &[u8]) -> Vec<u8> {
    let is_command = |line: &&[u8]| {
        let word = line.trim_ascii_start().get(..COMMAND.len());
        word.is_some_and(|word| word.eq_ignore_ascii_case(COMMAND))
    };
    let lines = text.split_inclusive(|byte| *byte == b'\n');
    lines
        .filter(|line| !is_command(line))
        .flatten()
        .copied()
        .collect()
}

/// The directory of sessions, where drills are marked.
pub(crate) fn sessions_dir(config: &Config) -> &Path {
    config.sessions_socket.parent().unwrap_or(Path::new("/run"))
}

/// Whether sshd looks at the account's file at all.
///
/// # Errors
/// When it does not, or lets nobody in to the account.
pub(crate) fn is_read(effective: &Effective, checked: &Checked) -> Result<(), DrillError> {
    let account = &checked.account;
    let files: Vec<&str> = effective.key_files().collect();
    let Some(found) = Account::find(account.as_str())? else {
        let fault = Fault::NoAccount(account.clone());
        let account = account.clone();
        return Err(DrillError::Broken { account, fault });
    };
    let who = Applicant::look(&found, Calendar::now().today())?;
    let bar = may_log_in(&who, effective).bar();
    let none_taken = !checked.living().any(|it| takes(it.algorithm, effective));
    if let Some(bar) = bar.or(none_taken.then_some(Bar::Algorithms)) {
        let account = account.clone();
        return Err(DrillError::Barred { account, bar });
    }
    if files
        .iter()
        .any(|file| expand(file, &found) == checked.path)
    {
        return Ok(());
    }
    Err(DrillError::NotRead {
        account: account.clone(),
        path: checked.path.clone(),
        files: files.join(" "),
    })
}

/// Whether sshd's `FILE:LINE` is of this file.
fn is_at(found_at: &str, path: &Path) -> bool {
    let file = found_at.rsplit_once(':').map_or(found_at, |(file, _)| file);
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    Path::new(file) == path || real(Path::new(file)).is_some_and(|file| Some(file) == real(path))
}

/// What is said of a login that nobody saw.
pub(crate) const NOT_SEEN: &str = "nobody saw this login: uses of break-glass keys are not told\nhint: the line in /etc/pam.d/sshd of docs/sessions.md is missing, or behind one that ends the stack";

/// A key command that knows nobody, in the place of whatever is set. Not one that never ends: nobody would end it where the file
/// lets nobody in.
const KNOWS_NOBODY: [&str; 2] = [
    "AuthorizedKeysCommand=/usr/bin/sleep 3",
    "AuthorizedKeysCommandUser=nobody",
];

/// What a key command's lines begin with, and that of its user.
const COMMAND: &[u8] = b"AuthorizedKeysCommand";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_command_in_a_block_is_taken_away_with_its_user_and_nothing_else() {
        let text = "AuthorizedKeysFile /b/%u\nMatch Group pilot\n\tauthorizedkeyscommand=/l keys\n    AuthorizedKeysCommandUser u\n# end";
        let left = "AuthorizedKeysFile /b/%u\nMatch Group pilot\n# end";
        assert_eq!(without_command(text.as_bytes()), left.as_bytes());
    }

    #[test]
    fn a_place_is_compared_by_its_file() {
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("deploy");
        std::fs::write(&file, "").unwrap();
        assert!(is_at(&format!("{}:3", file.display()), &file));
        assert!(!is_at("/home/deploy/.ssh/authorized_keys:1", &file));
        assert!(!is_at("/usr/bin/sleep 3", &file));
        assert!(!is_at("", &file));
    }
}
