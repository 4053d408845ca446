//! Whether sshd asks keyroster, for every account that matters.

use keyroster_sshd::tree::Place;

use crate::doctor::checks::mend;
use crate::doctor::facts::sshd::{Asked, SshdFacts, Why, names};
use crate::doctor::finding::{Finding, rules};

rules! {
    NOT_ENABLED = Warning "not-enabled": "sshd asks keyroster for nobody",
        "no grant lets anybody in, and no revocation keeps anybody out",
        Run "keyroster-agent enable --dry-run && keyroster-agent enable";
    COMMAND_PILOT = Note "command-pilot": "sshd asks keyroster for some accounts, and has no key command for others",
        "grants on the others let nobody in; on the way to a full roll-out that is meant",
        Judge "keyroster-agent enable, without --match-group, once the pilot is over";
    COMMAND_UNSET = Error "command-unset": "a line takes the key command away from an account",
        "a `Match` block beats everything outside of it: for these accounts keyroster decides nothing",
        Run "sed -i.bak 'NUMBER{/AuthorizedKeysCommand[[:space:]=]/Id}' FILE && sshd -t && systemctl reload ssh";
    COMMAND_FOREIGN = Error "command-foreign": "another provider's key command is in effect",
        "sshd has one key command, and the first that it reads wins: keyroster is not asked",
        Judge "make it a source `command:PATH` of /etc/keyroster/lookup.conf and remove the line that is named";
    COMMAND_CHAINED = Note "command-chained": "keyroster is asked by way of another provider's key command",
        "its deadlines and its order come first",
        Judge "nothing, if that is meant";
    COMMAND_ARGUMENTS = Error "command-arguments": "the key command lacks an argument that the lookup needs",
        "the lookup can't tell who asks for what, and lets nobody in",
        Run "keyroster-agent enable";
    COMMAND_TOKEN = Error "command-token": "the key command has a token that this sshd does not know",
        "sshd ends EVERY login at an unknown token, and neither `sshd -t` nor a restart says so (%C and %D: OpenSSH 9.4)",
        Run "keyroster-agent enable";
}

/// What a key command is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command<'a> {
    /// None at all.
    None,
    /// keyroster's.
    Ours(&'a str),
    /// Somebody else's, which is told to ask keyroster.
    Chained,
    /// Somebody else's.
    Foreign(&'a str),
}

impl<'a> Command<'a> {
    /// That of an effective configuration.
    #[must_use]
    pub fn of(command: Option<&'a str>) -> Self {
        let Some(command) = command else {
            return Self::None;
        };
        let is_ours = |word: &str| word.rsplit('/').next() == Some(LOOKUP);
        let mut words = command.split_ascii_whitespace();
        match words.next() {
            Some(program) if is_ours(program) => Self::Ours(command),
            _ if words.any(is_ours) => Self::Chained,
            _ => Self::Foreign(command),
        }
    }
}

/// The verdicts.
#[must_use]
pub fn check(facts: &SshdFacts) -> Vec<Finding> {
    if facts.logins.is_empty() {
        return Vec::new();
    }
    let ours = facts.those(|asked| matches!(of(asked), Command::Ours(_) | Command::Chained));
    let without = facts.those(|asked| of(asked) == Command::None);
    let (unset, pilot): (Vec<_>, Vec<_>) = without
        .into_iter()
        .partition(|asked| facts.winner(KEYWORD, &asked.login).is_some());
    let foreign = facts.those(|asked| matches!(of(asked), Command::Foreign(_)));
    let nowhere = ours.is_empty() && foreign.is_empty() && unset.is_empty();
    let all = format!(
        "logins for which sshd asks keyroster: {} ({})",
        ours.len(),
        names(&ours)
    );
    let nobody = nowhere.then(|| "sshd has no key command".to_owned());
    let some =
        (!nowhere && !pilot.is_empty()).then(|| format!("no key command for {}", names(&pilot)));
    let mut findings = vec![
        Finding::judge(&NOT_ENABLED, nobody, &all),
        Finding::judge(&COMMAND_PILOT, some, &all),
    ];
    findings.push(placed(
        facts,
        &COMMAND_UNSET,
        &unset,
        "the key command is taken away",
    ));
    findings.push(placed(
        facts,
        &COMMAND_FOREIGN,
        &foreign,
        "another key command is in effect",
    ));
    let chained = facts.those(|asked| of(asked) == Command::Chained);
    if !chained.is_empty() {
        findings.push(placed(
            facts,
            &COMMAND_CHAINED,
            &chained,
            "keyroster is asked by another key command",
        ));
    }
    findings.extend(line(facts, &ours));
    findings
}

/// What is wrong with our own line.
fn line(facts: &SshdFacts, ours: &[&Asked]) -> Vec<Finding> {
    let lacks = |command: &str| {
        NEEDED
            .iter()
            .find(|needed| !command.contains(*needed))
            .copied()
    };
    let unknown = |command: &str| {
        !facts.version.knows_connection_token() && NEW_TOKENS.iter().any(|it| command.contains(it))
    };
    let with = |wrong: &dyn Fn(&str) -> bool| -> Vec<&Asked> {
        let wrong = |asked: &&&Asked| matches!(of(asked), Command::Ours(command) if wrong(command));
        ours.iter().filter(wrong).copied().collect()
    };
    let lacking = with(&|command| lacks(command).is_some());
    let tokens = with(&|command| unknown(command));
    vec![
        placed(
            facts,
            &COMMAND_ARGUMENTS,
            &lacking,
            "an argument of the key command is missing",
        ),
        placed(
            facts,
            &COMMAND_TOKEN,
            &tokens,
            &format!(
                "OpenSSH {} does not know a token of the key command",
                facts.version
            ),
        ),
    ]
}

/// A finding about logins, with the place that is to blame for the first.
fn placed(
    facts: &SshdFacts,
    rule: &'static crate::doctor::finding::Rule,
    asked: &[&Asked],
    what: &str,
) -> Finding {
    let Some(first) = asked.first() else {
        return Finding::holds(rule, "no login is concerned");
    };
    let place = facts.place(KEYWORD, &first.login);
    let granted = asked
        .iter()
        .filter(|asked| asked.why == Why::Granted)
        .count();
    let finding = Finding::broken(
        rule,
        format!(
            "{what} at {place}, for {} ({granted} of them granted)",
            names(asked)
        ),
    );
    let on_command_line = facts
        .winner(KEYWORD, &first.login)
        .is_some_and(|it| matches!(it.place, Place::CommandLine(_)));
    if rule.id == COMMAND_UNSET.id || on_command_line {
        return finding.mended_by(mend::remove(facts, &first.login, KEYWORD));
    }
    finding
}

fn of(asked: &Asked) -> Command<'_> {
    Command::of(asked.effective.key_command())
}

const KEYWORD: &str = "AuthorizedKeysCommand";
const LOOKUP: &str = "keyroster-lookup";

/// What the lookup can't do without.
const NEEDED: [&str; 6] = [
    " keys",
    "--user=%u",
    "--uid=%U",
    "--type=%t",
    "--key=%k",
    "--fingerprint=%f",
];

/// Tokens of 9.4.
const NEW_TOKENS: [&str; 2] = ["%C", "%D"];

#[cfg(test)]
mod tests;
