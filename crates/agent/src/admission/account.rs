//! An account as sshd finds it, from the name services and the file system.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use keyroster_sshd::SshdError;
use keyroster_sshd::account::Account;
use keyroster_sshd::run::{TOOL_LIMIT, finish};

use crate::admission::{Applicant, Shell, Term, sends_away};

impl Applicant {
    /// Looks at an account, on this day since the Unix epoch began.
    ///
    /// # Errors
    /// When the name services can't be asked.
    pub fn look(account: &Account, today: i64) -> Result<Self, SshdError> {
        let shadow = shadow(&account.name)?;
        Ok(Self {
            name: account.name.clone(),
            uid: account.uid,
            groups: account.groups()?,
            shell: Shell::look(&account.shell),
            term: shadow.map_or_else(Term::default, |line| Term::read(&line, today)),
        })
    }
}

impl Shell {
    /// sshd asks for a plain file that somebody may run, and takes `/bin/sh` where none is named.
    fn look(shell: &Path) -> Self {
        if shell.as_os_str().is_empty() {
            return Self::Runs;
        }
        let metadata = std::fs::metadata(shell);
        let runs = metadata.is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0);
        match shell.to_str().is_some_and(sends_away) {
            true => Self::SendsAway(shell.to_owned()),
            false if runs => Self::Runs,
            false => Self::Missing(shell.to_owned()),
        }
    }
}

impl Term {
    /// Reads a line of shadow(5). The day of its end itself is one too late, as newer releases of PAM have it.
    #[must_use]
    pub fn read(line: &str, today: i64) -> Self {
        let fields: Vec<&str> = line.trim_end().split(':').collect();
        let day = |at: usize| fields.get(at)?.parse::<i64>().ok();
        let locked = fields.get(PASSWORD).is_some_and(|it| it.starts_with('!'));
        let age = day(CHANGED).map(|changed| today.saturating_sub(changed));
        let oldest = day(LONGEST).zip(day(GRACE));
        let oldest = oldest.map(|(longest, grace)| longest.saturating_add(grace));
        Self {
            locked,
            expired: day(END).is_some_and(|end| end >= 0 && today >= end),
            aged: age.zip(oldest).is_some_and(|(age, oldest)| age > oldest),
        }
    }
}

fn shadow(name: &str) -> Result<Option<String>, SshdError> {
    let mut command = Command::new("getent");
    command.args(["shadow", "--", name]);
    let done = finish(&mut command, TOOL_LIMIT)?;
    let line = done.stdout.lines().next().map(str::to_owned);
    // Whoever may not read it, and an account that a directory keeps elsewhere, look the same: sshd has no entry then either.
    Ok(line.filter(|line| line.split(':').next() == Some(name)))
}

const PASSWORD: usize = 1;
const CHANGED: usize = 2;
const LONGEST: usize = 4;
const GRACE: usize = 6;
const END: usize = 7;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_shadow_file_tells_what_is_over() {
        let (locked, expired, aged) = (true, true, true);
        let none = Term::default();
        for (line, term) in [
            ("a:*:20000:0:99999:7:::", none),
            ("a:!:20000:0:99999:7:::", Term { locked, ..none }),
            ("a:!$6$x:20000::::::", Term { locked, ..none }),
            ("a:*:20000:0:99999:7::20499:", Term { expired, ..none }),
            ("a:*:20000:0:99999:7::20500:", Term { expired, ..none }),
            ("a:*:20000:0:99999:7::20501:", none),
            ("a:*:20000:0:99999:7::-1:", none),
            ("a:*:20000:0:90:7:14::", Term { aged, ..none }),
            ("a:*:20450:0:90:7:14::", none),
            ("a:*:20000:0:90:7:::", none),
            ("a", none),
        ] {
            assert_eq!(Term::read(line, 20_500), term, "{line}");
        }
    }

    #[test]
    fn a_shell_is_what_can_be_run() {
        assert_eq!(Shell::look(Path::new("/bin/sh")), Shell::Runs);
        assert_eq!(Shell::look(Path::new("")), Shell::Runs);
        for missing in ["/no/such/shell", "/etc/passwd", "/etc"] {
            assert_eq!(
                Shell::look(Path::new(missing)),
                Shell::Missing(missing.into())
            );
        }
        let away = Path::new("/usr/sbin/nologin");
        assert_eq!(Shell::look(away), Shell::SendsAway(away.into()));
    }

    #[test]
    fn root_of_this_host_is_looked_at_by_its_name_services() {
        let root = Account::find("root").unwrap().unwrap();
        let who = Applicant::look(&root, 0).unwrap();
        assert_eq!((who.name.as_str(), who.uid), ("root", 0));
        assert_eq!(who.groups.first().map(String::as_str), Some("root"));
    }
}
