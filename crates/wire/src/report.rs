//! What a root program of this host leaves behind for the host agent to tell the key server. The specification is at [`Report`].

use std::fmt;
use std::str::FromStr;

use crate::request::{ACCOUNT_MAX, FINGERPRINT_MAX};

/// One report: something that happened on this host, for the key server to know.
///
/// A file and not a frame: whoever writes it is part of a login and waits for nobody, and the host agent may be down for days. It is
/// named after its id, and is this text of at most [`REPORT_MAX`] bytes, each line ended by a line feed:
///
/// ```text
/// keyroster-report 1
/// kind break-glass
/// id 8c1f6b1e-65b4-4c8e-a6f0-6a3a0e1d1c55
/// account deploy
/// key SHA256:…
/// at 1764000000
/// ```
///
/// The kind is `break-glass` when a key of a break-glass file opened a session, and `drill` when that was a trial of the way in. The
/// id is made at random by whoever writes it: with it, telling twice is telling once. `at` is in seconds since the
/// Unix epoch, by the host's clock.
///
/// Files lie in two directories, [`REPORTS_RUN_DIR`] and [`REPORTS_DIR`]. Both belong to root and to the host agent's group, and
/// nobody else can enter them. The first is in memory, where writing never waits for a disk; what is there is moved to the second,
/// which outlives the boot. The same report may be in both for a moment. Names that begin with a dot are not finished. The host agent
/// removes a report once the key server has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What happened.
    pub kind: ReportKind,
    /// Which report it is.
    pub id: ReportId,
    /// The account: a token of at most [`ACCOUNT_MAX`] bytes. Its own rules (`AccountName`) are the reader's to apply.
    pub account: String,
    /// The key: a token of at most [`FINGERPRINT_MAX`] bytes. Whether it is a fingerprint is the reader's to see.
    pub key: String,
    /// When, in seconds since the Unix epoch.
    pub at_s: i64,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportKind {
    /// A break-glass key opened a session.
    BreakGlass,
    /// The same, to see whether it works.
    Drill,
}

/// The id of a report: a UUID of version 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReportId([u8; 16]);

/// The text is no id of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportIdError;

impl Report {
    /// The text; none when a field can't stand in a line.
    #[must_use]
    pub fn to_text(&self) -> Option<String> {
        let fits = is_token(&self.account, ACCOUNT_MAX) && is_token(&self.key, FINGERPRINT_MAX);
        fits.then(|| {
            format!(
                "{HEADER}\nkind {}\nid {}\naccount {}\nkey {}\nat {}\n",
                self.kind.as_str(),
                self.id,
                self.account,
                self.key,
                self.at_s
            )
        })
    }

    /// Reads the text; none when it is not wholly one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        if lines.next()? != HEADER {
            return None;
        }
        let mut take = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ');
        let report = Self {
            kind: ReportKind::parse(take("kind")?)?,
            id: take("id")?.parse().ok()?,
            account: take("account")?.to_owned(),
            key: take("key")?.to_owned(),
            at_s: take("at")?.parse().ok()?,
        };
        (lines.next().is_none() && report.to_text().as_deref() == Some(text)).then_some(report)
    }
}

impl ReportKind {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BreakGlass => "break-glass",
            Self::Drill => "drill",
        }
    }

    /// The kind that a word stands for.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::BreakGlass, Self::Drill]
            .into_iter()
            .find(|kind| kind.as_str() == word)
    }
}

impl ReportId {
    /// The id that these random bytes make.
    #[must_use]
    pub const fn from_random(mut bytes: [u8; 16]) -> Self {
        // RFC 9562, 5.4: the version and the variant stand in fixed bits.
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        Self(bytes)
    }
}

impl fmt::Display for ReportId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, byte) in self.0.iter().enumerate() {
            if [4, 6, 8, 10].contains(&place) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl FromStr for ReportId {
    type Err = ReportIdError;

    fn from_str(text: &str) -> Result<Self, ReportIdError> {
        let digits: String = text.chars().filter(|c| *c != '-').collect();
        if digits.len() != 32 || !digits.is_ascii() {
            return Err(ReportIdError);
        }
        let number = u128::from_str_radix(&digits, 16).map_err(|_| ReportIdError)?;
        let id = Self::from_random(number.to_be_bytes());
        // One report has one name.
        if id.to_string() == text {
            Ok(id)
        } else {
            Err(ReportIdError)
        }
    }
}

fn is_token(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Where reports wait for the key server.
pub const REPORTS_DIR: &str = "/var/spool/keyroster";

/// Where they are written first.
pub const REPORTS_RUN_DIR: &str = "/run/keyroster-sessions/reports";

/// Longest report, in bytes.
pub const REPORT_MAX: u64 = 1024;

/// Most reports that a directory holds. The oldest are kept: how it began is what people look for.
pub const REPORTS_MAX: usize = 1000;

/// The first line. Another layout gets another number.
const HEADER: &str = "keyroster-report 1";

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        Report {
            kind: ReportKind::BreakGlass,
            id: ReportId::from_random([0xff; 16]),
            account: "deploy".to_owned(),
            key: "SHA256:Nh0Me49Zh9fDw/VYUfq43IJmI1T+XrjiYONPND8GzaM".to_owned(),
            at_s: 1_764_000_000,
        }
    }

    #[test]
    fn a_report_comes_back_as_it_was() {
        for kind in [ReportKind::BreakGlass, ReportKind::Drill] {
            let whole = Report { kind, ..report() };
            let text = whole.to_text().unwrap();
            assert_eq!(Report::parse(&text), Some(whole));
        }
    }

    #[test]
    fn a_text_with_anything_missing_or_added_is_no_report() {
        let text = report().to_text().unwrap();
        for length in 0..text.len() {
            assert_eq!(Report::parse(&text[..length]), None, "{length}");
        }
        for line in text.lines() {
            assert_eq!(Report::parse(&text.replace(&format!("{line}\n"), "")), None);
        }
        for more in ["\n", "at 1\n", " "] {
            assert_eq!(Report::parse(&format!("{text}{more}")), None, "{more:?}");
        }
        for (from, to) in [
            ("deploy", "de ploy"),
            ("at 1", "at +1"),
            ("glass", "glasses"),
            ("ffff", "FFFF"),
        ] {
            assert_eq!(Report::parse(&text.replace(from, to)), None, "{to}");
        }
    }

    #[test]
    fn what_can_stand_in_no_line_is_not_written() {
        for account in ["", "a b", "a\nb", "ä", &"a".repeat(ACCOUNT_MAX + 1)] {
            let account = account.to_owned();
            assert_eq!(
                Report {
                    account,
                    ..report()
                }
                .to_text(),
                None
            );
        }
    }

    #[test]
    fn an_id_is_a_uuid_of_version_4_with_one_spelling() {
        let id = ReportId::from_random([0; 16]).to_string();
        assert_eq!(id, "00000000-0000-4000-8000-000000000000");
        assert_eq!(id.parse(), Ok(ReportId::from_random([0; 16])));
        for wrong in [
            "",
            "00000000-0000-0000-0000-000000000000",
            "00000000000040008000000000000000",
            "0000000g-0000-4000-8000-000000000000",
            "00000000-0000-4000-8000-00000000000\u{e9}",
        ] {
            assert_eq!(wrong.parse::<ReportId>(), Err(ReportIdError), "{wrong}");
        }
    }
}
