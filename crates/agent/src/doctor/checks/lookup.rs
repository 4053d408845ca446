//! The key command, tried as sshd runs it.

use crate::doctor::facts::Seen;
use crate::doctor::facts::lookup::Trial;
use crate::doctor::finding::{Finding, rules};

rules! {
    FAILS = Error "lookup-fails": "the key command, run as its user, can't decide",
        "sshd then takes none of its lines: nobody gets in by keyroster",
        Run "journalctl -t keyroster-lookup -n 5";
}

/// The verdict.
#[must_use]
pub fn check(trial: &Seen<Trial>) -> Finding {
    match trial {
        Err(unseen) => Finding::unseen(&FAILS, &unseen.0),
        Ok(Trial {
            user,
            code: Some(0),
            ..
        }) => Finding::holds(
            &FAILS,
            format!("as \"{user}\" it says no to a key that nobody has"),
        ),
        Ok(Trial { user, code, said }) => {
            let ended = code.map_or("without an exit code".to_owned(), |code| {
                format!("with exit code {code}")
            });
            Finding::broken(&FAILS, format!("as \"{user}\" it ended {ended}: {said}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::checks::testing::{broken, unseen};
    use crate::doctor::facts::Unseen;

    fn ended(code: Option<i32>) -> Vec<&'static str> {
        let trial = Trial {
            user: "keyroster-lookup".to_owned(),
            code,
            said: String::new(),
        };
        broken(&[check(&Ok(trial))])
    }

    #[test]
    fn only_a_no_is_an_answer_about_a_key_that_nobody_has() {
        assert_eq!(ended(Some(0)), [""; 0]);
        assert_eq!(ended(Some(75)), ["lookup-fails"]);
        assert_eq!(ended(None), ["lookup-fails"]);
    }

    #[test]
    fn a_command_that_can_not_be_tried_is_no_verdict() {
        assert_eq!(
            unseen(&[check(&Err(Unseen::because("not root")))]),
            ["lookup-fails"]
        );
    }
}
