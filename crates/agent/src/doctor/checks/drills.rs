//! Whether the break-glass way in was tried, and whether a use of it would be seen.

use std::collections::BTreeMap;

use crate::break_glass::past_drills::{PastDrill, Proof};
use crate::break_glass::recording::{Recording, recording};
use crate::doctor::checks::paths::quoted_text;
use crate::doctor::facts::Seen;
use crate::doctor::finding::{Finding, Remedy, rules};

rules! {
    UNSEEN = Warning "break-glass-unseen": "there are break-glass keys, and sshd's PAM stack does not tell of logins",
        "a use of one leaves no trace but in sshd's own log, and the key server never hears of it",
        Judge "put the line of docs/sessions.md into /etc/pam.d/sshd, before any line that reads a file of the account's";
    UNTRIED = Note "break-glass-untried": "no login has proved the break-glass way in of an account for 90 days",
        "what is not tried does not work on the day on which it is needed",
        Run "keyroster-agent break-glass drill ACCOUNT --key FILE";
}

/// The verdicts for the accounts that have a file; none where there are none. `now_s` is in seconds since the Unix epoch.
#[must_use]
pub fn check(
    accounts: &[String],
    pam: &Seen<String>,
    drills: &Seen<BTreeMap<String, PastDrill>>,
    now_s: i64,
) -> Vec<Finding> {
    if accounts.is_empty() {
        return Vec::new();
    }
    let mut findings = vec![match pam {
        Err(unseen) => Finding::unseen(&UNSEEN, &unseen.0),
        Ok(stack) => seen(recording(stack)),
    }];
    match drills {
        Err(unseen) => findings.push(Finding::unseen(&UNTRIED, &unseen.0)),
        Ok(drills) => {
            let tried = |account: &String| tried(account, drills.get(account), now_s);
            findings.extend(accounts.iter().map(tried));
        }
    }
    findings
}

fn seen(recording: Recording) -> Finding {
    let what = match recording {
        Recording::Seen => return Finding::holds(&UNSEEN, "uses of break-glass keys are seen"),
        Recording::Missing => "no line of sshd's PAM stack runs keyroster-sessions record",
        Recording::TooLate => "pam_env with user_readenv=1 stands before the line",
    };
    Finding::broken(&UNSEEN, what)
}

fn tried(account: &str, drill: Option<&PastDrill>, now_s: i64) -> Finding {
    let account_word = quoted_text(account);
    let again = format!("keyroster-agent break-glass drill {account_word} --key FILE");
    judged(account, drill, now_s).mended_by(Remedy::run(again))
}

fn judged(account: &str, drill: Option<&PastDrill>, now_s: i64) -> Finding {
    let Some(drill) = drill else {
        return Finding::broken(&UNTRIED, format!("\"{account}\": never"));
    };
    let days = drill.days_ago(now_s);
    match drill.proof {
        Proof::Login if drill.counts_at(now_s) => {
            Finding::holds(&UNTRIED, format!("\"{account}\": a login {days} days ago"))
        }
        Proof::Login => Finding::broken(
            &UNTRIED,
            format!("\"{account}\": the last one was {days} days ago"),
        ),
        Proof::AllButSignature => Finding::broken(
            &UNTRIED,
            format!("\"{account}\": {days} days ago all but the signature was tried"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::checks::testing::{broken, unseen};
    use crate::doctor::facts::Unseen;

    const DAY_S: i64 = 24 * 60 * 60;
    const NOW_S: i64 = 1_000 * DAY_S;

    fn drills(proof: Proof, days_ago: i64) -> Seen<BTreeMap<String, PastDrill>> {
        let drill = PastDrill {
            at_s: NOW_S - days_ago * DAY_S,
            proof,
            key: None,
        };
        Ok(BTreeMap::from([("root".to_owned(), drill)]))
    }

    fn stack(line: &str) -> Seen<String> {
        Ok(format!("{line}\n"))
    }

    const OURS: &str =
        "session optional pam_exec.so quiet /usr/lib/keyroster/keyroster-sessions record";

    #[test]
    fn a_way_in_that_is_seen_and_was_proved_lately_is_in_order() {
        let accounts = ["root".to_owned()];
        let found = |pam, drills| broken(&check(&accounts, &pam, &drills, NOW_S));
        assert_eq!(found(stack(OURS), drills(Proof::Login, 90)), [""; 0]);
        assert_eq!(
            found(stack(""), drills(Proof::Login, 1)),
            ["break-glass-unseen"]
        );
        for untried in [
            drills(Proof::Login, 91),
            drills(Proof::AllButSignature, 1),
            Ok(BTreeMap::new()),
        ] {
            assert_eq!(found(stack(OURS), untried), ["break-glass-untried"]);
        }
    }

    #[test]
    fn where_there_is_no_break_glass_file_nothing_is_asked_for() {
        assert_eq!(check(&[], &stack(""), &Ok(BTreeMap::new()), NOW_S), []);
    }

    #[test]
    fn what_may_not_be_read_is_no_verdict() {
        let nothing = || Unseen::because("not root");
        let found = check(
            &["root".to_owned()],
            &Err(nothing()),
            &Err(nothing()),
            NOW_S,
        );
        assert_eq!(
            unseen(&found),
            ["break-glass-unseen", "break-glass-untried"]
        );
    }
}
