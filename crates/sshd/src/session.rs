//! Who is logged in through an sshd: by what the kernel says of its processes, never by what a client could have made it print.
//!
//! Before a client has proved anything sshd serves it with two processes, root's and one of its own user without rights. Once it
//! has, the second one gives way to one that runs *as the account*: the kernel lets only root's process make that, so its user id
//! is the proof. A login of root's has no such second process; there the title tells, of which a client can choose nothing
//! before it is let in but a name that sshd puts ` [priv]` behind.

use crate::SshdError;
use crate::process::{self, Facts, Process};

use std::path::Path;

/// A connection that somebody has logged in on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// sshd's process for the connection, which is root's.
    pub monitor: Process,
    /// The account.
    pub uid: u32,
}

/// The connections that somebody has logged in on, of the sshd that has this number; where systemd listens, its number is 1.
///
/// # Errors
/// When processes can't be looked at.
pub fn under(parent: u32) -> Result<Vec<Session>, SshdError> {
    let all = process::all_sshd()
        .map_err(|err| SshdError::io("look at the processes in", Path::new("/proc"), err))?;
    Ok(sessions(&all, parent))
}

fn sessions(all: &[Facts], parent: u32) -> Vec<Session> {
    let monitors = all
        .iter()
        .filter(|facts| facts.parent == parent && facts.uid == 0);
    monitors
        .filter_map(|monitor| {
            let child = all.iter().find(|child| {
                child.parent == monitor.process.pid && child.uid != 0 && is_logged_in(child)
            });
            let uid = match child {
                Some(child) => child.uid,
                None if is_roots(monitor) => 0,
                None => return None,
            };
            Some(Session {
                monitor: monitor.process,
                uid,
            })
        })
        .collect()
}

/// sshd's process without rights is called `NAME [net]` before the login, and `NAME` or `NAME@TERMINAL` after it.
fn is_logged_in(facts: &Facts) -> bool {
    name(facts).is_some_and(|name| !name.contains('['))
}

fn is_roots(facts: &Facts) -> bool {
    name(facts).is_some_and(|name| name.starts_with("root@") && !name.contains('['))
}

fn name(facts: &Facts) -> Option<&str> {
    let title = facts.title.trim_end_matches('\0');
    title
        .strip_prefix("sshd: ")
        .or_else(|| title.strip_prefix("sshd-session: "))
}

#[cfg(test)]
mod tests {
    use keyroster_testkit::{Account, RootDir, Ssh, SshKey, Sshd, until};

    use super::*;

    fn facts(pid: u32, parent: u32, uid: u32, title: &str) -> Facts {
        Facts {
            process: Process { pid, start: 1 },
            parent,
            uid,
            title: title.to_owned(),
        }
    }

    #[test]
    fn a_connection_counts_once_a_process_runs_as_the_account() {
        let monitor = facts(10, 1, 0, "sshd: deploy [priv]\0");
        let before = [monitor.clone(), facts(11, 10, 110, "sshd: deploy [net]\0")];
        assert_eq!(sessions(&before, 1), []);
        let after = [monitor.clone(), facts(12, 10, 1000, "sshd: deploy@notty\0")];
        let session = Session {
            monitor: monitor.process,
            uid: 1000,
        };
        assert_eq!(sessions(&after, 1), [session]);
        assert_eq!(sessions(&after, 2), []);
    }

    #[test]
    fn a_key_command_that_is_being_started_is_no_login() {
        let all = [
            facts(10, 1, 0, "sshd: deploy [priv]\0"),
            facts(12, 10, 990, "sshd: deploy [priv]\0"),
        ];
        assert_eq!(sessions(&all, 1), []);
    }

    #[test]
    fn roots_login_is_told_by_a_title_that_a_name_cannot_make() {
        let of = |title: &str| sessions(&[facts(10, 1, 0, title)], 1).len();
        assert_eq!(of("sshd: root@pts/0\0"), 1);
        assert_eq!(of("sshd-session: root@notty"), 1);
        for title in [
            "sshd: root [priv]",
            "sshd: root@x [priv]",
            "sshd: [accepted]",
            "root@pts/0",
        ] {
            assert_eq!(of(title), 0, "{title}");
        }
    }

    #[test]
    fn a_real_login_is_seen_while_it_lasts_and_a_refused_one_is_not() {
        let account = Account::login("keyroster-t1").unwrap();
        let dir = RootDir::new().unwrap();
        let key = SshKey::ed25519(dir.path(), "a").unwrap();
        let other = SshKey::ed25519(dir.path(), "b").unwrap();
        let file = dir.file("keys", key.public_line(), 0o644).unwrap();
        let sshd = Sshd::builder()
            .config(&format!("AuthorizedKeysFile {}\n", file.display()))
            .start()
            .unwrap();
        assert!(
            !Ssh::to(&sshd, &account.name)
                .key(&other)
                .is_let_in()
                .unwrap()
        );
        assert_eq!(under(sshd.pid()).unwrap(), []);
        let mut login = Ssh::to(&sshd, &account.name)
            .key(&key)
            .command("echo in; exec sleep 600")
            .build()
            .spawn()
            .unwrap();
        let seen = until("the session", std::time::Duration::from_secs(20), || {
            Ok(under(sshd.pid()).unwrap().pop())
        });
        login.kill().unwrap();
        login.wait().unwrap();
        assert_eq!(seen.unwrap().uid, account.uid);
    }
}
