//! What can be shown before anything is changed.
//!
//! Lookup is run exactly as sshd would run it, for a key that is granted: that shows everything but sshd's own part, and names what is wrong
//! with it better than a login does. A login needs the private key, and that is on no host: somebody lends it for a moment
//! ([`keys_at_hand`](crate::enable::keys_at_hand)).

use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::time::Duration;

use keyroster_keys::line::parse_line;
use keyroster_keys::{AccountName, KeyBlob};
use keyroster_sshd::account::Account;
use keyroster_sshd::check::Verdict;
use keyroster_sshd::run::finish;
use keyroster_sshd::trial::{self, Identity, Outcome};
use keyroster_sshd::would_be::WouldBe;
use keyroster_sshd::{Connection, Effective};

use crate::enable::drop_in;
use crate::enable::error::{EnableError, Unmet};
use crate::enable::granted::Granted;
use crate::enable::places::Places;

/// What is to be tried.
#[derive(Debug)]
pub struct Trial<'a> {
    /// Where.
    pub places: &'a Places,
    /// The drop-in's text.
    pub text: &'a str,
    /// Granted accounts for which sshd is to ask keyroster.
    pub granted: &'a [Granted],
}

impl Trial<'_> {
    /// The configuration as it would be, once sshd has accepted it.
    ///
    /// # Errors
    /// When sshd would not.
    pub fn would_be(&self) -> Result<WouldBe, EnableError> {
        let Places { sshd, drop_in, .. } = self.places;
        let would_be = WouldBe::new(sshd, drop_in, Some(self.text.as_bytes()))?;
        match would_be.sshd().check()? {
            Verdict::Sound => Ok(would_be),
            Verdict::Broken(said) => Err(EnableError::Unmet(Unmet::new(
                format!("with the drop-in sshd would refuse its configuration: {said}"),
                "another file sets something that does not go with it",
            ))),
        }
    }

    /// That sshd would run our command for this account, and as the user that it is meant for.
    ///
    /// # Errors
    /// When it would not.
    pub fn asks_us(&self, would_be: &WouldBe, account: &str) -> Result<Effective, EnableError> {
        let effective = would_be.sshd().effective(&Connection::local(account)?)?;
        let wanted = drop_in::key_command(self.text);
        let user = self.places.lookup.user.as_str();
        if effective.key_command() == wanted && effective.key_command_user() == Some(user) {
            return Ok(effective);
        }
        let found = effective.key_command().unwrap_or("none");
        Err(EnableError::Unmet(Unmet::new(
            format!("for \"{account}\" sshd would run `{found}` and not keyroster's command"),
            "a file that sorts before 10-keyroster.conf, a Match block or sshd's command line sets another one; \
             or the account is not in the group",
        )))
    }

    /// That lookup, run as sshd would run it, lets a granted key in.
    ///
    /// # Errors
    /// When it does not.
    pub fn lookup_answers(
        &self,
        effective: &Effective,
        granted: &Granted,
        key: &KeyBlob,
    ) -> Result<(), EnableError> {
        let user = &self.places.lookup.user;
        let runs_as = Account::find(user.as_str())?
            .ok_or_else(|| EnableError::Internal(format!("the user \"{user}\" is gone")))?;
        let words = command_line(
            effective.key_command().unwrap_or_default(),
            &granted.account,
            key,
        );
        let (program, arguments) = words
            .split_first()
            .ok_or_else(|| EnableError::Internal("no key command".to_owned()))?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir("/")
            .uid(runs_as.uid)
            .gid(runs_as.gid);
        let done = finish(&mut command, LOOKUP_LIMIT)?;
        let lets_in = |line: &str| {
            let line = parse_line(line.as_bytes()).ok().flatten();
            line.is_some_and(|line| line.key.base64() == key.base64())
        };
        if done.status.success() && done.stdout.lines().any(lets_in) {
            return Ok(());
        }
        Err(EnableError::Unmet(Unmet::new(
            format!(
                "lookup does not let {} in to \"{}\", though it is granted ({})",
                key.fingerprint(),
                granted.name,
                done.status
            ),
            "`journalctl -t keyroster-lookup -n 5` says why",
        )))
    }

    /// That somebody with a granted key gets in. Files of keys are left out, so that it is keyroster who lets in.
    ///
    /// # Errors
    /// When nobody does.
    pub fn login(
        &self,
        account: &AccountName,
        identities: &[Identity],
    ) -> Result<trial::Proof, EnableError> {
        let Places { sshd, drop_in, .. } = self.places;
        let sshd = sshd.clone().with_overrides(&[NO_FILES.to_owned()]);
        let would_be = WouldBe::new(&sshd, drop_in, Some(self.text.as_bytes()))?;
        let refused = |what: String| {
            EnableError::Unmet(Unmet::new(
                what,
                "the key must be granted for this account on this host, and from 127.0.0.1 if the grant says from where",
            ))
        };
        match trial::login(&would_be, account.as_str(), identities)? {
            Outcome::LoggedIn(proof)
                if drop_in::program_of(&proof.found_at).is_some_and(drop_in::is_lookup) =>
            {
                Ok(proof)
            }
            Outcome::LoggedIn(proof) => Err(refused(format!(
                "\"{account}\" was let in by {} and not by keyroster",
                proof.found_at
            ))),
            Outcome::Refused(why) => Err(refused(format!(
                "the trial login to \"{account}\" was refused: {why}"
            ))),
        }
    }
}

/// The words of a key command with its tokens expanded, as sshd does it: split first.
fn command_line(command: &str, account: &Account, key: &KeyBlob) -> Vec<String> {
    command
        .split_ascii_whitespace()
        .map(|word| {
            let mut text = String::new();
            let mut chars = word.chars();
            while let Some(c) = chars.next() {
                if c != '%' {
                    text.push(c);
                    continue;
                }
                match chars.next() {
                    Some('u') => text.push_str(&account.name),
                    Some('U') => text.push_str(&account.uid.to_string()),
                    Some('h') => text.push_str(&account.home.to_string_lossy()),
                    Some('t') => text.push_str(key.algorithm().as_str()),
                    Some('k') => text.push_str(key.base64()),
                    Some('f') => text.push_str(&key.fingerprint().to_string()),
                    Some('C') => text.push_str("127.0.0.1 22 127.0.0.1 1"),
                    Some(other) => text.push(other),
                    None => {}
                }
            }
            text
        })
        .collect()
}

const NO_FILES: &str = "AuthorizedKeysFile=none";
/// The longest that lookup may take; its own limit is below.
const LOOKUP_LIMIT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_expanded_after_splitting() {
        let account = Account {
            name: "deploy".to_owned(),
            uid: 1000,
            gid: 1000,
            home: "/home/a b".into(),
            shell: "/bin/sh".into(),
        };
        let body = "AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
        let key = KeyBlob::parse("ssh-ed25519", body).unwrap();
        let words = command_line("/l keys --u=%u/%U --h=%h --c=%C %%", &account, &key);
        assert_eq!(
            words,
            [
                "/l",
                "keys",
                "--u=deploy/1000",
                "--h=/home/a b",
                "--c=127.0.0.1 22 127.0.0.1 1",
                "%"
            ]
        );
    }
}
