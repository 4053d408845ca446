//! What the log is told about a question and its answer, as `name=value` words on one line.
//!
//! ```text
//! verb=keys answer=found account="deploy" uid=1000 type=ssh-ed25519 fingerprint=SHA256:… source=agent reason=granted
//! epoch=1 revision=812 staleness_ms=120 tried=agent:found took_us=640
//! ```
//!
//! One call means that a key was *offered*, not that anybody logged in: sshd asks again when the proof arrives.

use std::fmt;
use std::time::Instant;

use crate::asked::{Asked, Verb};
use crate::decide::Decision;
use crate::log::Quoted;

/// A question, to be reported with its answer.
pub(crate) struct Report<'a> {
    /// What sshd asked.
    pub(crate) asked: &'a Asked,
    /// When this process began.
    pub(crate) start: Instant,
}

/// Why the answer is no before any source is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The account can't be one that anybody was granted.
    ImpossibleAccount,
    /// The key is longer than any that can be granted.
    KeyTooLong,
    /// The key is of no type that can be granted, or for principals no certificate.
    UnknownKey,
}

impl Report<'_> {
    /// The report of a no that needed no source.
    pub(crate) fn refused(&self, refusal: Refusal) -> impl fmt::Display {
        let reason = match refusal {
            Refusal::ImpossibleAccount => "impossible-account",
            Refusal::KeyTooLong => "key-too-long",
            Refusal::UnknownKey => "unknown-key",
        };
        fmt::from_fn(move |f| {
            self.write_question(f, "none")?;
            write!(f, " source=- reason={reason}")?;
            self.write_time(f)
        })
    }

    /// The report of a decision.
    pub(crate) fn decided(&self, decision: &Decision<'_>) -> impl fmt::Display {
        fmt::from_fn(move |f| {
            self.write_question(f, decision.answer.word())?;
            match decision.decider {
                Some(source) => write!(f, " source={source}")?,
                None => f.write_str(" source=-")?,
            }
            let evidence = &decision.evidence;
            write!(f, " reason={}", evidence.why.word())?;
            if let Some((epoch, revision)) = evidence.revision {
                write!(f, " epoch={epoch} revision={revision}")?;
                match evidence.staleness_ms {
                    Some(staleness) => write!(f, " staleness_ms={staleness}")?,
                    None => f.write_str(" staleness_ms=unknown")?,
                }
            }
            if evidence.skipped > 0 {
                write!(f, " skipped_lines={}", evidence.skipped)?;
            }
            f.write_str(" tried=")?;
            for (place, (source, word)) in decision.trail.iter().enumerate() {
                write!(f, "{}{source}:{word}", if place == 0 { "" } else { "," })?;
            }
            self.write_time(f)
        })
    }

    fn write_question(&self, f: &mut fmt::Formatter<'_>, answer: &str) -> fmt::Result {
        let Asked {
            verb,
            account,
            uid,
            key_type,
            fingerprint,
            noted,
            ..
        } = self.asked;
        let account = Quoted(account.as_bytes());
        write!(
            f,
            "verb={} answer={answer} account={account} uid={uid}",
            verb.word()
        )?;
        write!(f, " type={key_type} fingerprint={fingerprint}")?;
        let certificate = [
            ("key_id", &noted.key_id),
            ("serial", &noted.serial),
            ("ca", &noted.ca_fingerprint),
        ];
        let certificate = match verb {
            Verb::Keys => [].as_slice(),
            Verb::Principals => certificate.as_slice(),
        };
        for (name, value) in certificate
            .iter()
            .chain(&[("connection", &noted.connection)])
        {
            if let Some(value) = value {
                write!(f, " {name}={}", Quoted(value))?;
            }
        }
        Ok(())
    }

    fn write_time(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " took_us={}", self.start.elapsed().as_micros())
    }
}
