//! What sshd would do for one connection: `sshd -T -C`.
//!
//! `Include`, `Match`, the order of files and the command line have all had their say in it. Keywords know no case, neither in
//! what sshd prints nor in a question here.

use std::collections::BTreeMap;

use crate::{Sshd, SshdError};

/// A connection as `Match` sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    user: String,
    host: String,
    address: String,
    local: Option<(String, u16)>,
}

/// The values that count for a connection. A keyword that may stand several times has several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effective(BTreeMap<String, Vec<String>>);

impl Connection {
    /// Somebody at this host name and address who wants to be this account.
    ///
    /// # Errors
    /// When a value has a character that would end it on sshd's command line.
    pub fn new(user: &str, host: &str, address: &str) -> Result<Self, SshdError> {
        Ok(Self {
            user: value("user", user)?,
            host: value("host", host)?,
            address: value("address", address)?,
            local: None,
        })
    }

    /// An account that connects from the host itself, to the usual port. Where a `Match` block asks for the address or port that somebody
    /// connects to, sshd answers no question that does not say.
    ///
    /// # Errors
    /// When the name has a character that would end it on sshd's command line.
    pub fn local(user: &str) -> Result<Self, SshdError> {
        Self::new(user, "localhost", LOOPBACK)?.to(LOOPBACK, PORT)
    }

    /// The same to this address and port of the host.
    ///
    /// # Errors
    /// When the address has a character that would end it on sshd's command line.
    pub fn to(mut self, address: &str, port: u16) -> Result<Self, SshdError> {
        self.local = Some((value("address", address)?, port));
        Ok(self)
    }

    fn text(&self) -> String {
        let Self {
            user,
            host,
            address,
            local,
        } = self;
        let mut text = format!("user={user},host={host},addr={address}");
        if let Some((address, port)) = local {
            text.push_str(&format!(",laddr={address},lport={port}"));
        }
        text
    }
}

const LOOPBACK: &str = "127.0.0.1";
/// `Port` when nothing sets it: sshd_config(5).
const PORT: u16 = 22;

fn value(what: &'static str, text: &str) -> Result<String, SshdError> {
    let plain = |c: char| !c.is_control() && !c.is_whitespace() && c != ',';
    if text.is_empty() || !text.chars().all(plain) {
        return Err(SshdError::Value(what));
    }
    Ok(text.to_owned())
}

impl Sshd {
    /// Asks what counts for a connection.
    ///
    /// # Errors
    /// When sshd can't be run, or can't read its configuration.
    pub fn effective(&self, connection: &Connection) -> Result<Effective, SshdError> {
        let done = self.ask(&["-T", "-C", &connection.text()])?;
        let printed = done.success("sshd -T")?;
        Ok(Effective::parse(&printed))
    }

    /// Asks what counts where no `Match` block says otherwise.
    ///
    /// # Errors
    /// When sshd can't be run, or can't read its configuration.
    pub fn effective_for_all(&self) -> Result<Effective, SshdError> {
        let printed = self.ask(&["-T"])?.success("sshd -T")?;
        Ok(Effective::parse(&printed))
    }
}

impl Effective {
    /// Reads what `sshd -T` prints: a keyword and its value a line.
    #[must_use]
    pub fn parse(printed: &str) -> Self {
        let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for line in printed.lines() {
            let (keyword, value) = line.split_once(' ').unwrap_or((line, ""));
            values
                .entry(keyword.to_ascii_lowercase())
                .or_default()
                .push(value.trim().to_owned());
        }
        Self(values)
    }

    /// All values of a keyword; none where this release does not know it.
    #[must_use]
    pub fn all(&self, keyword: &str) -> &[String] {
        let values = self.0.get(&keyword.to_ascii_lowercase());
        values.map_or(&[], Vec::as_slice)
    }

    /// The value of a keyword that has one.
    #[must_use]
    pub fn first(&self, keyword: &str) -> Option<&str> {
        self.all(keyword).first().map(String::as_str)
    }

    /// The value of a keyword, unless it is `none` or not set.
    #[must_use]
    pub fn set(&self, keyword: &str) -> Option<&str> {
        self.first(keyword)
            .filter(|value| !value.is_empty() && !value.eq_ignore_ascii_case(NONE))
    }

    /// Whether a keyword is `yes`.
    #[must_use]
    pub fn is_on(&self, keyword: &str) -> bool {
        self.first(keyword)
            .is_some_and(|value| value.eq_ignore_ascii_case("yes"))
    }

    /// The whole key command.
    #[must_use]
    pub fn key_command(&self) -> Option<&str> {
        self.set("AuthorizedKeysCommand")
    }

    /// The program of the key command.
    #[must_use]
    pub fn key_program(&self) -> Option<&str> {
        self.key_command()?.split_ascii_whitespace().next()
    }

    /// The user as whom the key command runs.
    #[must_use]
    pub fn key_command_user(&self) -> Option<&str> {
        self.set("AuthorizedKeysCommandUser")
    }

    /// The patterns of `AuthorizedKeysFile`, tokens and all.
    pub fn key_files(&self) -> impl Iterator<Item = &str> {
        let files = self.set("AuthorizedKeysFile").unwrap_or_default();
        files.split_ascii_whitespace()
    }

    /// Every keyword with a value, in the order of the keywords.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().flat_map(|(keyword, values)| {
            values
                .iter()
                .map(move |value| (keyword.as_str(), value.as_str()))
        })
    }
}

const NONE: &str = "none";

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::Binary;

    fn asked(text: &str, user: &str) -> Effective {
        let running = keyroster_testkit::Sshd::builder()
            .config(text)
            .start()
            .unwrap();
        let config = running.dir().join("sshd_config");
        let sshd = Sshd::new(Binary::at(Path::new("/usr/sbin/sshd")).unwrap(), &config);
        sshd.effective(&Connection::local(user).unwrap()).unwrap()
    }

    #[test]
    fn blocks_about_the_address_and_the_port_that_somebody_connects_to_are_answered() {
        let text = "Match LocalAddress 127.0.0.1\nAuthorizedKeysFile /etc/a/%u\nMatch LocalPort 22\nMaxAuthTries 3\n";
        let effective = asked(text, "root");
        assert_eq!(effective.first("AuthorizedKeysFile"), Some("/etc/a/%u"));
        assert_eq!(effective.first("MaxAuthTries"), Some("3"));
    }

    #[test]
    fn the_first_value_of_several_files_counts_and_a_block_counts_for_whom_it_names() {
        let text = "AuthorizedKeysCommand /bin/first %u\nAuthorizedKeysCommandUser nobody\n\
                    AuthorizedKeysCommand /bin/second\n\
                    Match User root\nAuthorizedKeysCommand /bin/third\nAuthorizedKeysFile .ssh/a /etc/b/%u\n";
        let other = asked(text, "daemon");
        assert_eq!(other.key_command(), Some("/bin/first %u"));
        assert_eq!(other.key_program(), Some("/bin/first"));
        assert_eq!(other.key_command_user(), Some("nobody"));
        assert_eq!(other.key_files().count(), 0);
        let root = asked(text, "root");
        assert_eq!(root.key_command(), Some("/bin/third"));
        assert_eq!(
            root.key_files().collect::<Vec<_>>(),
            [".ssh/a", "/etc/b/%u"]
        );
    }

    #[test]
    fn the_command_line_beats_every_file() {
        let running = keyroster_testkit::Sshd::builder()
            .config("AuthorizedKeysFile /etc/a\n")
            .start()
            .unwrap();
        let config = running.dir().join("sshd_config");
        let sshd = Sshd::new(Binary::at(Path::new("/usr/sbin/sshd")).unwrap(), &config)
            .with_overrides(&["AuthorizedKeysFile=/etc/b /etc/c".to_owned()]);
        let effective = sshd.effective(&Connection::local("root").unwrap()).unwrap();
        assert_eq!(
            effective.key_files().collect::<Vec<_>>(),
            ["/etc/b", "/etc/c"]
        );
    }

    #[test]
    fn keywords_know_no_case_and_some_have_several_values() {
        let effective =
            Effective::parse("hostkey /a\nHostKey /b\nauthorizedkeyscommand none\nbanner\n");
        assert_eq!(effective.all("HOSTKEY"), ["/a", "/b"]);
        assert_eq!(effective.key_command(), None);
        assert_eq!(effective.first("AuthorizedKeysCommand"), Some("none"));
        assert_eq!(
            (effective.first("banner"), effective.set("banner")),
            (Some(""), None)
        );
        assert_eq!(effective.all("unknown"), [""; 0]);
        assert_eq!(effective.iter().count(), 4);
    }

    #[test]
    fn a_value_that_would_end_early_on_the_command_line_is_not_asked_about() {
        for user in ["", "a,addr=10.0.0.1", "a b", "a\nb"] {
            assert!(Connection::local(user).is_err(), "{user:?}");
        }
        let connection = Connection::new("a", "h", "::1")
            .unwrap()
            .to("::1", 22)
            .unwrap();
        assert_eq!(
            connection.text(),
            "user=a,host=h,addr=::1,laddr=::1,lport=22"
        );
    }
}
