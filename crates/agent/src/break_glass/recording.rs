//! Whether sshd's PAM stack tells of logins: without its line there, a use of a break-glass key is not seen.

/// What the stack says.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recording {
    /// The line is there.
    Seen,
    /// It is not: no use is seen.
    Missing,
    /// It stands behind a line that reads a file of the account's own, which can put another key into its place.
    TooLate,
}

/// Reads a stack, such as the text of `/etc/pam.d/sshd`. What it includes is not looked into: our line is an administrator's, and
/// stands where docs/sessions.md says.
pub fn recording(stack: &str) -> Recording {
    let lines = stack
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with('#'));
    let mut reads_home = false;
    for line in lines {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let is_session = words
            .first()
            .is_some_and(|word| word.trim_start_matches('-').eq_ignore_ascii_case("session"));
        let records = words.windows(2).any(
            |pair| matches!(pair, [program, "record"] if program.ends_with("/keyroster-sessions")),
        );
        match (is_session && records, reads_home) {
            (true, false) => return Recording::Seen,
            (true, true) => return Recording::TooLate,
            (false, _) => {}
        }
        let is_env = words.iter().any(|word| word.ends_with("pam_env.so"));
        reads_home |= is_env && words.contains(&"user_readenv=1");
    }
    Recording::Missing
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str =
        "session    optional     pam_exec.so quiet /usr/lib/keyroster/keyroster-sessions record\n";
    const ENV: &str = "session required pam_env.so user_readenv=1 envfile=/etc/default/locale\n";

    #[test]
    fn the_line_counts_where_it_stands_and_not_in_a_comment() {
        let common = "@include common-session\n";
        for (stack, expected) in [
            (format!("{common}{OURS}{ENV}"), Recording::Seen),
            (format!("{common}-{OURS}"), Recording::Seen),
            (format!("{common}{ENV}{OURS}"), Recording::TooLate),
            (format!("{common}# {OURS}{ENV}"), Recording::Missing),
            (
                format!("{common}{}", OURS.replace("session ", "auth ")),
                Recording::Missing,
            ),
            (OURS.replace("record", "serve"), Recording::Missing),
            (format!("#{ENV}{OURS}"), Recording::Seen),
            (String::new(), Recording::Missing),
        ] {
            assert_eq!(recording(&stack), expected, "{stack}");
        }
    }
}
