//! `keyroster explain`: who may log in to an account on a host, and why.

use std::fmt::Write as _;

use clap::Args;
use keyroster_api::explain::{Explanation, KeyExplanation};
use keyroster_keys::{Fingerprint, UserName};

use crate::failure::Result;
use crate::report::{People, Report};
use crate::session::Session;
use crate::target::LoginTarget;
use crate::text::printable;

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The account on the host, for example deploy@web-1
    #[arg(value_name = "ACCOUNT@HOST")]
    target: LoginTarget,
    /// Only the keys of this user
    #[arg(long, conflicts_with = "key")]
    user: Option<UserName>,
    /// Only this key, by fingerprint
    #[arg(long, value_name = "FINGERPRINT")]
    key: Option<Fingerprint>,
}

pub(crate) async fn run(explain: Explain, session: &Session) -> Result<Report> {
    let only = match (explain.user, explain.key) {
        (Some(user), _) => Some(("user", user.to_string())),
        (None, Some(key)) => Some(("key", key.to_string())),
        (None, None) => None,
    };
    let explanation = session.client()?.explain(&explain.target, only).await?;
    let text = text(&explanation);
    Report::new(&explanation, People::Text(text))
}

fn text(explanation: &Explanation) -> String {
    let mut text = format!(
        "{}@{} at revision {}\n",
        printable(&explanation.account),
        printable(&explanation.host),
        explanation.revision
    );
    for key in &explanation.keys {
        text.push('\n');
        text.push_str(&key_text(key));
    }
    if !explanation.notes.is_empty() {
        text.push('\n');
    }
    for note in &explanation.notes {
        line(&mut text, "", note);
    }
    text
}

fn key_text(key: &KeyExplanation) -> String {
    let owner = key
        .user
        .as_ref()
        .map_or_else(|| String::from("nobody"), |user| format!("\"{user}\""));
    let mut text = String::new();
    line(
        &mut text,
        "",
        &format!("{}: {} of {owner}", key.decision, key.fingerprint),
    );
    for reason in &key.reasons {
        line(&mut text, "  - ", reason);
    }
    if let Some(answer) = &key.line {
        line(&mut text, "  line: ", answer);
    }
    text
}

fn line(text: &mut String, before: &str, content: &str) {
    // Writing to a string can't fail.
    let _ = writeln!(text, "{before}{}", printable(content));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decision_reasons_and_line_stand_below_each_other() {
        let explanation = Explanation {
            account: "deploy".into(),
            host: "web-1".into(),
            revision: 7,
            keys: vec![KeyExplanation {
                fingerprint: "SHA256:x".into(),
                user: Some("alice".into()),
                decision: "allow".into(),
                line: Some("restrict ssh-ed25519 AAAA keyroster:alice:1".into()),
                reasons: vec!["grant 1 allows it".into()],
            }],
            notes: vec!["user \"bob\" has no key".into()],
        };
        assert_eq!(
            text(&explanation),
            "deploy@web-1 at revision 7\n\nallow: SHA256:x of \"alice\"\n  - grant 1 allows it\n  \
             line: restrict ssh-ed25519 AAAA keyroster:alice:1\n\nuser \"bob\" has no key\n"
        );
    }

    #[test]
    fn a_reason_cannot_pretend_to_be_a_decision() {
        let key = KeyExplanation {
            fingerprint: "SHA256:x".into(),
            user: None,
            decision: "deny".into(),
            line: None,
            reasons: vec!["no grant\nallow: SHA256:x".into()],
        };
        assert_eq!(
            key_text(&key),
            "deny: SHA256:x of nobody\n  - no grant\\u{a}allow: SHA256:x\n"
        );
    }
}
