//! The end of sessions, where the host group asks for it: docs/sessions.md.

use crate::doctor::facts::Seen;
use crate::doctor::facts::system::Units;
use crate::doctor::finding::{Finding, rules};

rules! {
    UNRECORDED = Error "sessions-unrecorded": "the host group ends sessions, and sshd's PAM stack does not record them",
        "sessions of a revoked key go on: nobody knows which ones they are",
        Judge "put the line of docs/sessions.md into /etc/pam.d/sshd, before any line that reads a file of the account's";
    ORDER = Error "sessions-order": "the line that records sessions stands behind one that reads a file of the account's own",
        "whoever can write to the home directory could have a session recorded under somebody else's key",
        Judge "move the line up in /etc/pam.d/sshd, before pam_env with user_readenv";
    STOPPED = Error "sessions-stopped": "the host group ends sessions, and keyroster-sessions does not run",
        "nothing ends them until it is started",
        Run "systemctl enable --now keyroster-sessions";
}

/// The verdicts; none where no host group asks for it.
#[must_use]
pub fn check(wanted: bool, pam: &Seen<String>, units: &Seen<Units>) -> Vec<Finding> {
    if !wanted {
        return Vec::new();
    }
    let mut findings = match pam {
        Ok(stack) => stack_verdicts(stack),
        Err(unseen) => vec![Finding::unseen(&UNRECORDED, &unseen.0)],
    };
    if let Ok(Some(units)) = units {
        let state = units.get(UNIT).and_then(|unit| unit.get("ActiveState"));
        let state = state.map_or("not there", String::as_str);
        let stopped = (state != "active").then(|| format!("{UNIT} is {state}"));
        findings.push(Finding::judge(&STOPPED, stopped, "keyroster-sessions runs"));
    }
    findings
}

fn stack_verdicts(stack: &str) -> Vec<Finding> {
    let lines: Vec<&str> = stack
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with('#'))
        .collect();
    let position = |is: &dyn Fn(&str) -> bool| lines.iter().position(|line| is(line));
    let recorded = position(&|line| {
        line.contains("pam_exec") && line.contains("keyroster-sessions") && line.contains(" record")
    });
    let foreign = position(&|line| {
        line.trim_start_matches('-').starts_with("session")
            && line.contains("pam_env")
            && line.contains("user_readenv=1")
    });
    let missing = recorded
        .is_none()
        .then(|| "no line of sshd's PAM stack runs keyroster-sessions record".to_owned());
    let behind = matches!((recorded, foreign), (Some(ours), Some(theirs)) if theirs < ours)
        .then(|| "pam_env with user_readenv=1 stands before it".to_owned());
    vec![
        Finding::judge(&UNRECORDED, missing, "sshd's PAM stack records sessions"),
        Finding::judge(
            &ORDER,
            behind,
            "nothing of the account's is read before that",
        ),
    ]
}

const UNIT: &str = "keyroster-sessions.service";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::checks::testing::{broken, unseen};
    use crate::doctor::facts::Unseen;

    const RECORD: &str =
        "session optional pam_exec.so quiet /usr/lib/keyroster/keyroster-sessions record\n";
    const READS: &str = "session required pam_env.so user_readenv=1 envfile=/etc/default/locale\n";

    fn ids(stack: &str) -> Vec<&'static str> {
        broken(&check(true, &Ok(stack.to_owned()), &Ok(None)))
    }

    #[test]
    fn the_line_stands_there_and_before_what_the_account_can_write() {
        assert_eq!(ids(&format!("{RECORD}{READS}")), [""; 0]);
        assert_eq!(ids(&format!("{READS}{RECORD}")), ["sessions-order"]);
        assert_eq!(ids(READS), ["sessions-unrecorded"]);
        assert_eq!(ids(&format!("# {RECORD}")), ["sessions-unrecorded"]);
    }

    #[test]
    fn where_nobody_asks_for_it_nothing_is_said() {
        assert_eq!(check(false, &Ok(String::new()), &Ok(None)), []);
    }

    #[test]
    fn a_unit_that_does_not_run_is_told_where_systemd_is() {
        let unit = [("ActiveState".to_owned(), "inactive".to_owned())];
        let units = Ok(Some([(UNIT.to_owned(), unit.into())].into()));
        assert_eq!(
            broken(&check(true, &Ok(RECORD.to_owned()), &units)),
            ["sessions-stopped"]
        );
    }

    #[test]
    fn a_stack_that_can_not_be_read_is_no_verdict() {
        let findings = check(true, &Err(Unseen::because("not there")), &Ok(None));
        assert_eq!(unseen(&findings), ["sessions-unrecorded"]);
    }
}
